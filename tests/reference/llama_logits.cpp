// SPDX-License-Identifier: Apache-2.0
// Logits of every position from llama.cpp, for second_judge.py.
//
//   g++ -std=c++17 tests/reference/llama_logits.cpp -o llama_logits -lllama -lggml -lggml-base
//   llama_logits [-e] MODEL OUT id id ...
//
// OUT: float32 [ids, vocab]; with -e the embeddings of the tokens, [ids, width]. One thread, caches in f32, no flash
// attention and no repacked weights, so that nothing depends on the machine.
#include <ggml-backend.h>
#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  const bool embeddings = argc > 1 && std::strcmp(argv[1], "-e") == 0;
  argv += embeddings;
  argc -= embeddings;
  if (argc < 4) {
    std::fprintf(stderr, "llama_logits [-e] MODEL OUT id id ...\n");
    return 2;
  }
  const auto log = [](ggml_log_level level, const char* text, void*) {
    if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
  };
  llama_log_set(log, nullptr);
  ggml_backend_load_all();
  llama_model_params how = llama_model_default_params();
  how.use_extra_bufts = false;
  llama_model* model = llama_model_load_from_file(argv[1], how);
  if (model == nullptr) return 1;

  const int count = argc - 3;
  llama_context_params with = llama_context_default_params();
  with.n_ctx = with.n_batch = with.n_ubatch = static_cast<unsigned>(count);
  with.n_threads = with.n_threads_batch = 1;
  with.type_k = with.type_v = GGML_TYPE_F32;
  with.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  with.embeddings = embeddings;
  if (embeddings) with.pooling_type = LLAMA_POOLING_TYPE_NONE;
  llama_context* context = llama_init_from_model(model, with);
  if (context == nullptr) return 1;

  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int i = 0; i < count; ++i) {
    batch.token[i] = std::atoi(argv[i + 3]);
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  if ((embeddings ? llama_encode(context, batch) : llama_decode(context, batch)) != 0) return 1;
  const int columns = embeddings ? llama_model_n_embd(model) : llama_vocab_n_tokens(llama_model_get_vocab(model));
  std::FILE* out = std::fopen(argv[2], "wb");
  if (out == nullptr) return 1;
  for (int i = 0; i < count; ++i)
    std::fwrite(embeddings ? llama_get_embeddings_ith(context, i) : llama_get_logits_ith(context, i), sizeof(float),
                static_cast<std::size_t>(columns), out);
  return std::fclose(out) == 0 ? 0 : 1;
}
