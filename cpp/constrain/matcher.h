// Follows a grammar byte by byte. What may come next is a set of places in the grammar, each with
// the calls that it stands in; such sets are found as texts reach them, numbered, and remembered
// with where their bytes lead.
#ifndef TINYVLM_CONSTRAIN_MATCHER_H_
#define TINYVLM_CONSTRAIN_MATCHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "constrain/char_class.h"
#include "constrain/grammar.h"

namespace tinyvlm {

class Matcher {
 public:
  // A set by its number.
  using Set = uint32_t;

  // The set behind bytes that begin no text of the grammar.
  static constexpr Set kNone = 0;

  // The grammar must be finished.
  explicit Matcher(std::shared_ptr<const Grammar> grammar);

  Set start() const { return start_; }

  // The set behind one more byte.
  Set Next(Set set, uint8_t byte) {
    const int32_t known = sets_[set].next == nullptr ? kUnknown : (*sets_[set].next)[byte];
    return known != kUnknown ? static_cast<Set>(known) : Find(set, byte);
  }

  // The set behind any one character of the class: kNone where none of them can follow, kMixed
  // where not all of them lead to the same set.
  static constexpr Set kMixed = UINT32_MAX;
  Set Next(Set set, CharClass chars) {
    const Set known = sets_[set].behind[chars];
    return known != kUnasked ? known : Find(set, chars);
  }

  // Whether the bytes so far are a whole text.
  bool accepts(Set set) const { return sets_[set].accepts; }

  // Whether some byte can follow.
  bool continues(Set set) const { return !sets_[set].places.empty(); }

  // True once following has taken more memory, or since BeginStep more work, than it may; then
  // every Next that is not known yet is kNone, until Forget.
  bool full() const { return full_; }

  // Work is counted from here.
  void BeginStep() { work_ = 0; }

  // Whether so much is remembered that it should be forgotten at the next opportunity.
  bool crowded() const { return sets_.size() > kManySets || place_count_ > kManyPlaces; }

  // Forgets every set but the start and `keep`; returns the number that the latter has now.
  Set Forget(Set keep);

 private:
  static constexpr int32_t kUnknown = -1;
  static constexpr Set kUnasked = kMixed - 1;
  static constexpr size_t kManySets = 4096, kMaxSets = 8 * kManySets;
  static constexpr size_t kManyPlaces = size_t{1} << 18, kMaxPlaces = 8 * kManyPlaces;
  static constexpr size_t kMaxStacks = size_t{1} << 20;
  static constexpr size_t kMaxWork = size_t{1} << 22;  // places looked at

  // A chain of calls: where the innermost one returns to, and the rest of the chain. 0 is none.
  using Stack = uint32_t;
  using Place = std::pair<Grammar::State, Stack>;
  struct PlaceHash {
    size_t operator()(const Place& place) const {
      const uint64_t both = uint64_t{place.first} << 32 | place.second;
      return static_cast<size_t>(both * 0x9E3779B97F4A7C15u >> 16);
    }
  };
  struct SetData {
    std::vector<Place> places;  // those from which a byte leads on, sorted
    bool accepts = false;
    std::unique_ptr<std::array<int32_t, 256>> next;  // null until one is wanted
    std::array<Set, kCharClasses> behind = {kUnasked, kUnasked, kUnasked, kUnasked};
  };

  // A set of places. Emptying it costs nothing.
  class SeenPlaces {
   public:
    void Clear() { ++round_, count_ = 0; }
    // False where it is there already.
    bool Insert(const Place& place);

   private:
    struct Slot {
      Place place;
      uint64_t round = 0;  // the one that filled it; of an earlier one: free
    };
    std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two, at least half of them free
    uint64_t round_ = 0;
    size_t count_ = 0;
  };

  Set Find(Set set, uint8_t byte);
  Set Find(Set set, CharClass chars);
  // Whether each character of kStringText beyond ASCII leads from `set` to `to`.
  bool OthersLeadTo(Set set, Set to);
  // The set of all places that `places` lead to without a byte.
  Set Close(std::vector<Place> places);
  Set Number(SetData data);
  Stack Push(Grammar::State return_to, Stack rest);
  void Clear();

  const std::shared_ptr<const Grammar> grammar_;
  SeenPlaces seen_;
  std::vector<SetData> sets_;
  std::unordered_multimap<size_t, Set> numbers_;  // by hash
  std::vector<Place> stacks_;
  std::unordered_map<Place, Stack, PlaceHash> stack_numbers_;
  size_t place_count_ = 0;
  size_t work_ = 0;
  bool full_ = false;
  Set start_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_MATCHER_H_
