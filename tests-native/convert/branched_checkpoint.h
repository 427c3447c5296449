// Random checkpoints of any shape, in either layout, whose convolutions are in training form, in
// inference form or both at once; each convolution comes with the function that it computes,
// written plainly: branch by branch, BatchNorm as a step of its own.
#ifndef TINYVLM_TESTS_CONVERT_BRANCHED_CHECKPOINT_H_
#define TINYVLM_TESTS_CONVERT_BRANCHED_CHECKPOINT_H_

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "convert/checkpoint_names.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {

// Channels of side x side values.
struct Map {
  size_t channels = 0, side = 0;
  std::vector<double> values;
  double& at(size_t c, size_t y, size_t x) { return values[(c * side + y) * side + x]; }
  double at(size_t c, size_t y, size_t x) const { return values[(c * side + y) * side + x]; }
};

inline Map Zeros(size_t channels, size_t side) {
  return {channels, side, std::vector<double>(channels * side * side)};
}

// Cross-correlation with zero padding (k - 1) / 2; `kernel` [out][in / groups][k][k], groups of
// outputs in order.
template <typename Kernel>
Map Convolve(const Map& in, const Kernel& kernel, size_t out, size_t per_group, size_t k,
             size_t stride) {
  Map result = Zeros(out, (in.side + stride - 1) / stride);
  const size_t groups = in.channels / per_group;
  for (size_t o = 0; o < out; ++o) {
    const size_t first = o / (out / groups) * per_group;
    for (size_t y = 0; y < result.side; ++y) {
      for (size_t x = 0; x < result.side; ++x) {
        double sum = 0;
        for (size_t i = 0; i < per_group; ++i) {
          for (size_t u = 0; u < k; ++u) {
            for (size_t v = 0; v < k; ++v) {
              const size_t sy = y * stride + u, sx = x * stride + v, pad = (k - 1) / 2;
              if (sy < pad || sx < pad || sy - pad >= in.side || sx - pad >= in.side) continue;
              sum += double{kernel[((o * per_group + i) * k + u) * k + v]} *
                     in.at(first + i, sy - pad, sx - pad);
            }
          }
        }
        result.at(o, y, x) = sum;
      }
    }
  }
  return result;
}

struct BranchedCheckpoint : CheckpointFiles {
  struct Stage {
    uint64_t depth, channels, hidden;
    bool attention;
  };

  // How convolutions are written. kMixed changes from one to the next.
  enum class Form { kInference, kTraining, kMixed };

  // A convolution of the tower: its name in our file, and what it does.
  struct Convolution {
    std::string name;
    Shape kernel;
    size_t inputs, stride;
    std::function<Map(const Map&)> function;
  };

  CheckpointLayout layout;
  Form form;
  std::vector<Convolution> convolutions;
  size_t made = 0;

  BranchedCheckpoint(CheckpointLayout which, Form how, const std::vector<Stage>& stages,
                     bool untied, uint32_t seed)
      : layout(which), form(how) {
    random.seed(seed);
    const bool apple = layout == CheckpointLayout::kApple;
    const CheckpointNames& names = NamesOf(layout);
    const std::string tower = apple ? "model.vision_tower.vision_tower.model."
                                    : "model.vision_tower.timm_model.",
                      stem = tower + names.stem;
    const uint64_t c0 = stages[0].channels;
    AddMobileOne("v.stem.0", stem + "0", {c0, 3, 3, 3}, 2, false);
    AddMobileOne("v.stem.1", stem + "1", {c0, 1, 3, 3}, 2, false);
    AddMobileOne("v.stem.2", stem + "2", {c0, c0, 1, 1}, 1, true);
    size_t at = 0;  // in Apple's list
    for (size_t s = 0; s < stages.size(); ++s) {
      const uint64_t c = stages[s].channels;
      const std::string name = Format("v.stage.%zu.", s), ours = tower + Format("stages.%zu.", s);
      if (s > 0) {
        const std::string down =
            apple ? tower + Format("network.%zu.proj.", at++) : ours + "downsample.proj.";
        AddLargeKernel(name + "down.dw", down + "0", {c, 1, 7, 7},
                       static_cast<size_t>(stages[s - 1].channels));
        AddMobileOne(name + "down.pw", down + "1", {c, c, 1, 1}, 1, true);
      }
      if (stages[s].attention)
        AddPositional(name + "cpe", apple ? tower + Format("network.%zu", at++) : ours + "pos_emb",
                      c);
      const std::string blocks = apple ? tower + Format("network.%zu.", at++) : ours + "blocks.";
      for (uint64_t b = 0; b < stages[s].depth; ++b) {
        const std::string block =
                              Format("%s%llu.", blocks.c_str(), static_cast<unsigned long long>(b)),
                          scale = block + "layer_scale";
        const std::string our_block =
            Format("%sblk.%llu.", name.c_str(), static_cast<unsigned long long>(b));
        AddFfn(block + names.conv_ffn + ".", c, stages[s].hidden);
        AddConvolution(our_block + "ffn_dw", {c, 1, 7, 7}, static_cast<size_t>(c), 1,
                       ConvAndNorm(block + names.conv_ffn + ".conv", {c, 1, 7, 7}, 1));
        if (stages[s].attention) {
          AddWithBias(block + "norm", {c});
          Add(block + "token_mixer.qkv.weight", {3 * c, c});
          AddWithBias(block + "token_mixer.proj", {c, c});
          Add(scale + "_1" + names.layer_scale_suffix, {c, 1, 1});
          Add(scale + "_2" + names.layer_scale_suffix, {c, 1, 1});
        } else {
          AddRepMixer(our_block + "mix", block + "token_mixer", c);
          Add(scale + names.layer_scale_suffix, {c, 1, 1});
        }
      }
    }
    const uint64_t last = stages.back().channels;
    AddMobileOne("v.final.dw", tower + names.final_conv, {2 * last, 1, 3, 3}, 1, false,
                 static_cast<size_t>(last));
    AddWithBias(tower + names.final_conv + "." + names.se_reduce, {5, 2 * last, 1, 1});
    AddWithBias(tower + names.final_conv + "." + names.se_expand, {2 * last, 5, 1, 1});
    if (apple) Add(tower + "head.proj", {2 * last, 7});
    AddWithBias(apple ? "model.mm_projector.0" : "model.multi_modal_projector.linear_1",
                {32, 2 * last});
    AddWithBias(apple ? "model.mm_projector.2" : "model.multi_modal_projector.linear_2", {32, 32});
    AddDecoder(apple ? "model." : "model.language_model.");
    if (untied) Add("lm_head.weight", {48, 32});
    WriteConfig(untied);
  }

 private:
  using Function = std::function<Map(const Map&)>;

  // The convolution that is made next is fused.
  bool Fused() { return form == Form::kInference || (form == Form::kMixed && made++ % 2 == 0); }

  void AddConvolution(const std::string& name, const Shape& kernel, size_t inputs, size_t stride,
                      Function function) {
    convolutions.push_back({name, kernel, inputs, stride, std::move(function)});
  }

  Function Plain(const std::string& module, const Shape& shape, size_t stride) {
    AddWithBias(module, shape);
    return [this, module, shape, stride](const Map& in) {
      const std::vector<float>& kernel = tensors.at(module + ".weight").values;
      Map out = Convolve(in, kernel, static_cast<size_t>(shape[0]), static_cast<size_t>(shape[1]),
                         static_cast<size_t>(shape[3]), stride);
      const std::vector<float>& bias = tensors.at(module + ".bias").values;
      for (size_t i = 0; i < out.values.size(); ++i)
        out.values[i] += bias[i / (out.side * out.side)];
      return out;
    };
  }

  Function Norm(const std::string& module, uint64_t channels) {
    for (const char* part : {"weight", "bias", "running_mean", "running_var"})
      Add(module + "." + part, {channels});
    return ReadNorm(module);
  }

  Function ReadNorm(const std::string& module) {
    return [this, module](const Map& in) {
      const auto part = [&](const char* name) -> const std::vector<float>& {
        return tensors.at(module + "." + name).values;
      };
      Map out = in;
      for (size_t i = 0; i < out.values.size(); ++i) {
        const size_t c = i / (in.side * in.side);
        out.values[i] = (in.values[i] - part("running_mean")[c]) /
                            std::sqrt(part("running_var")[c] + 1e-5) * part("weight")[c] +
                        part("bias")[c];
      }
      return out;
    };
  }

  // The tensors of `module`.conv and .bn must be there; a bias may be.
  Function ConvAndNorm(const std::string& module, const Shape& shape, size_t stride) {
    const Function norm = ReadNorm(module + ".bn");
    return [this, module, shape, stride, norm](const Map& in) {
      const std::vector<float>& kernel = tensors.at(module + ".conv.weight").values;
      Map out = Convolve(in, kernel, static_cast<size_t>(shape[0]), static_cast<size_t>(shape[1]),
                         static_cast<size_t>(shape[3]), stride);
      if (const auto bias = tensors.find(module + ".conv.bias"); bias != tensors.end()) {
        for (size_t i = 0; i < out.values.size(); ++i)
          out.values[i] += bias->second.values[i / (out.side * out.side)];
      }
      return norm(out);
    };
  }

  Function NewConvAndNorm(const std::string& module, const Shape& shape, size_t stride) {
    Add(module + ".conv.weight", shape);
    if (made++ % 2 == 0) Add(module + ".conv.bias", {shape[0]});
    Norm(module + ".bn", shape[0]);
    return ConvAndNorm(module, shape, stride);
  }

  static Function Sum(std::vector<Function> parts) {
    return [parts = std::move(parts)](const Map& in) {
      Map out = parts[0](in);
      for (size_t p = 1; p < parts.size(); ++p) {
        const Map more = parts[p](in);
        for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += more.values[i];
      }
      return out;
    };
  }

  // The number of full-size branches and the presence of the others change with each.
  Function MobileOne(const std::string& module, const Shape& shape, size_t stride, bool may_skip) {
    const CheckpointNames& names = NamesOf(layout);
    const size_t kind = made++;
    std::vector<Function> parts;
    const size_t count = may_skip ? kind % 4 : 1 + kind % 3;
    for (size_t n = 0; n < count; ++n)
      parts.push_back(NewConvAndNorm(Format("%s.%s%zu", module.c_str(), names.conv_branches, n),
                                     shape, stride));
    if (shape[3] > 1 && kind % 5 != 0)
      parts.push_back(
          NewConvAndNorm(module + "." + names.scale_branch, {shape[0], shape[1], 1, 1}, stride));
    if (may_skip && (kind % 3 != 0 || parts.empty()))
      parts.push_back(Norm(module + "." + names.identity_branch, shape[0]));
    return Sum(std::move(parts));
  }

  // `inputs` is for kernels with one input per output: how many channels those inputs are.
  void AddMobileOne(const std::string& name, const std::string& module, const Shape& shape,
                    size_t stride, bool may_skip, size_t inputs = 0) {
    const size_t in =
        inputs != 0 ? inputs : static_cast<size_t>(shape[1] == 1 ? shape[0] : shape[1]);
    const bool fused = Fused();
    AddConvolution(name, shape, in, stride,
                   fused ? Plain(module + "." + NamesOf(layout).fused, shape, stride)
                         : MobileOne(module, shape, stride, may_skip));
  }

  void AddLargeKernel(const std::string& name, const std::string& module, const Shape& shape,
                      size_t inputs) {
    const CheckpointNames& names = NamesOf(layout);
    if (Fused())
      return AddConvolution(name, shape, inputs, 2,
                            Plain(module + "." + names.fused_large, shape, 2));
    std::vector<Function> parts{NewConvAndNorm(module + "." + names.large_branch, shape, 2)};
    const uint64_t small = 2 * (made++ % 4) + 1;  // 1, 3, 5, or none
    if (small < 7)
      parts.push_back(
          NewConvAndNorm(module + "." + names.small_branch, {shape[0], 1, small, small}, 2));
    AddConvolution(name, shape, inputs, 2, Sum(std::move(parts)));
  }

  void AddPositional(const std::string& name, const std::string& module, uint64_t c) {
    const CheckpointNames& names = NamesOf(layout);
    const Shape shape{c, 1, 7, 7};
    const size_t inputs = static_cast<size_t>(c);
    if (Fused())
      return AddConvolution(name, shape, inputs, 1, Plain(module + "." + names.fused, shape, 1));
    AddConvolution(name, shape, inputs, 1,
                   Sum({Plain(module + "." + names.positional_branch, shape, 1),
                        [](const Map& in) { return in; }}));
  }

  // x + layer_scale * (mixer(x) - norm(x))
  void AddRepMixer(const std::string& name, const std::string& module, uint64_t c) {
    const CheckpointNames& names = NamesOf(layout);
    const Shape shape{c, 1, 3, 3};
    if (Fused())
      return AddConvolution(name, shape, static_cast<size_t>(c), 1,
                            Plain(module + "." + names.fused, shape, 1));
    const Function mixer = MobileOne(module + ".mixer", shape, 1, true),
                   norm = Norm(module + ".norm." + names.identity_branch, c);
    const std::string scale = module + ".layer_scale" + names.layer_scale_suffix;
    Add(scale, {c, 1, 1});
    AddConvolution(
        name, shape, static_cast<size_t>(c), 1, [this, mixer, norm, scale](const Map& in) {
          Map out = in;
          const Map mixed = mixer(in), normed = norm(in);
          const std::vector<float>& factor = tensors.at(scale).values;
          for (size_t i = 0; i < out.values.size(); ++i)
            out.values[i] += factor[i / (in.side * in.side)] * (mixed.values[i] - normed.values[i]);
          return out;
        });
  }

  void WriteConfig(bool untied) {
    const char* const decoder =
        R"("hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
      "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 48, "rms_norm_eps": 1e-06, "max_position_embeddings": 2048, "eos_token_id": 2,
      "rope_theta": 1000000.0, "use_sliding_window": false)";
    const char* const tied = untied ? "false" : "true";
    if (layout == CheckpointLayout::kApple) {
      config = Format(
          R"({"model_type": "llava_qwen2", "architectures": ["LlavaQwen2ForCausalLM"], "mm_vision_tower": "mobileclip_l_384",
        "image_aspect_ratio": "pad", "image_grid_pinpoints": null, "mm_patch_merge_type": "flat", "mm_projector_type": "mlp2x_gelu", "mm_use_im_start_end": false, "vision_config": {},
        "tie_word_embeddings": %s, %s})",
          tied, decoder);
    } else {
      config = Format(
          R"({"model_type": "fast_vlm", "tie_word_embeddings": %s, "vision_config": {"model_type": "timm_wrapper", "architecture": "fastvit_mci3"},
        "text_config": {"model_type": "qwen2", %s}})",
          tied, decoder);
    }
  }
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONVERT_BRANCHED_CHECKPOINT_H_
