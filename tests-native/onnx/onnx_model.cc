#include "onnx/onnx_model.h"

#include <functional>
#include <span>

#include "base/byte_reader.h"
#include "base/file.h"

namespace tinyvlm::onnx {

namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 26;
constexpr size_t kMaxElements = size_t{1} << 24;

using Bytes = std::span<const uint8_t>;

// One field of a message: a number (varint or fixed) or a piece of bytes.
struct Field {
  uint64_t number = 0;
  bool is_bytes = false;
  uint64_t value = 0;  // bits of a float or double for fixed fields
  Bytes bytes;
};

bool ReadVarint(ByteReader& reader, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte;
    if (!reader.Read(&byte)) return false;
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Calls `each` for every field of a message.
Status ForEachField(Bytes message, const std::function<Status(const Field&)>& each) {
  ByteReader reader(message);
  while (reader.remaining() > 0) {
    const size_t at = reader.position();
    uint64_t key, length;
    Field field;
    bool ok = ReadVarint(reader, &key);
    if (ok) {
      field.number = key >> 3;
      uint32_t bits = 0;
      switch (key & 7) {
        case 0:
          ok = ReadVarint(reader, &field.value);
          break;
        case 1:
          ok = reader.Read(&field.value);
          break;
        case 2:
          field.is_bytes = true;
          ok = ReadVarint(reader, &length) && reader.ReadBytes(length, &field.bytes);
          break;
        case 5:
          ok = reader.Read(&bits);
          field.value = bits;
          break;
        default:
          ok = false;
      }
    }
    if (!ok)
      return Error(ErrorCode::kInvalidFile,
                   "protobuf: a field that ends inside its message wanted at byte %zu", at);
    TVLM_RETURN_IF_ERROR(each(field));
  }
  return Status();
}

// A repeated number: one value, or many packed into bytes.
Status AppendVarints(const Field& field, std::vector<int64_t>* out) {
  if (!field.is_bytes) {
    out->push_back(static_cast<int64_t>(field.value));
    return Status();
  }
  ByteReader reader(field.bytes);
  while (reader.remaining() > 0) {
    uint64_t value;
    if (!ReadVarint(reader, &value))
      return Error(ErrorCode::kInvalidFile, "protobuf: whole packed numbers wanted");
    out->push_back(static_cast<int64_t>(value));
  }
  return Status();
}

Bytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

template <typename T>
void ReadRaw(Bytes raw, std::vector<int64_t>* out) {
  for (size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T))
    out->push_back(static_cast<int64_t>(LoadLittleEndian<T>(raw.data() + i)));
}

Status ParseAttribute(Bytes message, Node* node) {
  std::string name;
  Attribute attribute;
  TVLM_RETURN_IF_ERROR(ForEachField(message, [&](const Field& field) -> Status {
    switch (field.number) {
      case 1:
        name = AsText(field.bytes);
        break;
      case 2:
        attribute.f = std::bit_cast<float>(static_cast<uint32_t>(field.value));
        break;
      case 3:
        attribute.i = static_cast<int64_t>(field.value);
        break;
      case 4:
        attribute.s = AsText(field.bytes);
        break;
      case 5: {
        TVLM_ASSIGN_OR_RETURN(attribute.t, ParseTensor(AsText(field.bytes)));
        break;
      }
      case 8:
        return AppendVarints(field, &attribute.ints);
      default:
        break;
    }
    return Status();
  }));
  node->attributes[name] = attribute;
  return Status();
}

}  // namespace

size_t Tensor::elements() const {
  size_t count = 1;
  for (const size_t side : shape) count *= side;
  return count;
}

Result<Tensor> ParseTensor(std::string_view bytes) {
  Tensor tensor;
  std::vector<int64_t> dims;
  Bytes raw;
  TVLM_RETURN_IF_ERROR(ForEachField(AsBytes(bytes), [&](const Field& field) -> Status {
    switch (field.number) {
      case 1:
        return AppendVarints(field, &dims);
      case 2:
        tensor.type = static_cast<int64_t>(field.value);
        break;
      case 4:  // float_data
        for (size_t i = 0; i + 4 <= field.bytes.size(); i += 4)
          tensor.floats.push_back(LoadLittleEndian<float>(field.bytes.data() + i));
        if (!field.is_bytes)
          tensor.floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(field.value)));
        break;
      case 5:  // int32_data: also 8- and 16-bit numbers and the bits of 16-bit floats
      case 7:
        return AppendVarints(field, &tensor.integers);
      case 9:
        raw = field.bytes;
        break;
      default:
        break;
    }
    return Status();
  }));
  size_t elements = 1;
  for (const int64_t side : dims) {
    if (side < 0 || static_cast<uint64_t>(side) > kMaxElements ||
        elements * static_cast<size_t>(side) > kMaxElements) {
      return Error(ErrorCode::kInvalidFile, "tensor: at most %zu elements wanted", kMaxElements);
    }
    elements *= static_cast<size_t>(side);
    tensor.shape.push_back(static_cast<size_t>(side));
  }
  bool known = true;
  switch (static_cast<ElementType>(tensor.type)) {
    case ElementType::kFloat:
      for (size_t i = 0; i + 4 <= raw.size(); i += 4)
        tensor.floats.push_back(LoadLittleEndian<float>(raw.data() + i));
      break;
    case ElementType::kUint8:
      ReadRaw<uint8_t>(raw, &tensor.integers);
      break;
    case ElementType::kInt8:
      ReadRaw<int8_t>(raw, &tensor.integers);
      break;
    case ElementType::kInt32:
      ReadRaw<int32_t>(raw, &tensor.integers);
      break;
    case ElementType::kInt64:
      ReadRaw<int64_t>(raw, &tensor.integers);
      break;
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      ReadRaw<uint16_t>(raw, &tensor.integers);
      break;
    default:
      known = false;
      tensor.floats.clear();
      tensor.integers.clear();
  }
  const size_t found =
      tensor.Is(ElementType::kFloat) ? tensor.floats.size() : tensor.integers.size();
  if (known && found != elements)
    return Error(ErrorCode::kInvalidFile, "tensor: %zu elements wanted, %zu found", elements,
                 found);
  return tensor;
}

Status ParseModel(std::string_view bytes, Case* c, std::vector<std::string>* inputs) {
  std::vector<std::string> graph_inputs;
  const auto parse_node = [&](Bytes message) -> Status {
    Node node;
    TVLM_RETURN_IF_ERROR(ForEachField(message, [&](const Field& field) -> Status {
      switch (field.number) {
        case 1:
          node.inputs.emplace_back(AsText(field.bytes));
          break;
        case 2:
          node.outputs.emplace_back(AsText(field.bytes));
          break;
        case 4:
          node.type = AsText(field.bytes);
          break;
        case 5:
          return ParseAttribute(field.bytes, &node);
        default:
          break;
      }
      return Status();
    }));
    c->nodes.push_back(std::move(node));
    return Status();
  };
  const auto parse_initializer = [&](Bytes message) -> Status {
    std::string name;
    TVLM_RETURN_IF_ERROR(ForEachField(message, [&](const Field& field) -> Status {
      if (field.number == 8) name = AsText(field.bytes);
      return Status();
    }));
    TVLM_ASSIGN_OR_RETURN(c->tensors[name], ParseTensor(AsText(message)));
    return Status();
  };
  const auto parse_graph = [&](const Field& field) -> Status {
    if (field.number == 1) return parse_node(field.bytes);
    if (field.number == 5) return parse_initializer(field.bytes);
    if (field.number != 11) return Status();
    return ForEachField(field.bytes, [&](const Field& value) -> Status {
      if (value.number == 1) graph_inputs.emplace_back(AsText(value.bytes));
      return Status();
    });
  };
  TVLM_RETURN_IF_ERROR(ForEachField(AsBytes(bytes), [&](const Field& field) -> Status {
    return field.number == 7 ? ForEachField(field.bytes, parse_graph) : Status();
  }));
  if (c->nodes.empty())
    return Error(ErrorCode::kInvalidFile, "model: a graph with a node wanted, none found");
  for (const std::string& name : graph_inputs) {
    if (c->tensors.find(name) == c->tensors.end()) inputs->push_back(name);
  }
  return Status();
}

Result<Case> ReadCase(const std::string& folder) {
  Case c;
  std::vector<std::string> inputs;
  TVLM_ASSIGN_OR_RETURN(const std::string model,
                        ReadTextFile(folder + "/model.onnx", kMaxFileBytes));
  TVLM_RETURN_IF_ERROR(ParseModel(model, &c, &inputs));
  for (size_t i = 0; i < inputs.size(); ++i) {
    TVLM_ASSIGN_OR_RETURN(
        const std::string bytes,
        ReadTextFile(Format("%s/test_data_set_0/input_%zu.pb", folder.c_str(), i), kMaxFileBytes));
    TVLM_ASSIGN_OR_RETURN(c.tensors[inputs[i]], ParseTensor(bytes));
  }
  for (size_t i = 0;; ++i) {
    const std::string path = Format("%s/test_data_set_0/output_%zu.pb", folder.c_str(), i);
    if (!IsFile(path)) break;
    TVLM_ASSIGN_OR_RETURN(const std::string bytes, ReadTextFile(path, kMaxFileBytes));
    TVLM_ASSIGN_OR_RETURN(Tensor output, ParseTensor(bytes));
    c.outputs.push_back(std::move(output));
  }
  if (c.outputs.empty())
    return Error(ErrorCode::kNotFound, "%s: output_0.pb wanted, none found", folder.c_str());
  return c;
}

}  // namespace tinyvlm::onnx
