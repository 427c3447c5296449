// A folder for the files of one test, removed with everything in it.
#ifndef TINYVLM_TESTS_TEMP_FOLDER_H_
#define TINYVLM_TESTS_TEMP_FOLDER_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

class TempFolder {
 public:
  TempFolder() {
    // In wasm every process has the same number and begins with the same random ones: the folder
    // belongs to who could create it.
    static int count = 0;
    do {
      path_ = std::filesystem::temp_directory_path() /
              ("tiny-vlm-test-" + std::to_string(getpid()) + "-" + std::to_string(std::rand()) +
               "-" + std::to_string(count++));
    } while (!std::filesystem::create_directory(path_));
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

#endif  // TINYVLM_TESTS_TEMP_FOLDER_H_
