// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace inlay {

class unicode_forms;  // text/normalizer.hpp

/// What making a tokenizer may need from outside.
struct tokenizer_options {
  /// For tokenizers that normalize (Qwen: NFC; BERT: accents and case). Must outlive the tokenizer.
  const unicode_forms* forms = nullptr;
  /// Without `forms`, leave Unicode normal forms out instead of failing: other ids for text that is not normalized yet.
  bool skip_normal_forms = false;
};

}  // namespace inlay
