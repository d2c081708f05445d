// SPDX-License-Identifier: Apache-2.0
// Published tokenizers through the metadata of a GGUF and back. Those that are not here are left out.
#include <doctest/doctest.h>

#include "tests/convert/tokenizer_round_trip.hpp"
#include "tests/support/model.hpp"

TEST_CASE("BERT uncased") {
  const auto path = inlay_test::model("all-MiniLM-L6-v2/tokenizer.json");
  if (path) inlay_test::there_and_back(*path, inlay_test::text_file("published/minilm.cases.jsonl"));
}
