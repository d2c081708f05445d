// SPDX-License-Identifier: Apache-2.0
// What the examples need of a POSIX terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace terminal {

bool input_is_terminal();

/// Standard input, line by line, and Ctrl-C, which no longer ends the program. One object a program.
class line_reader {
 public:
  /// `interrupted` is called at a Ctrl-C, as a signal handler.
  explicit line_reader(void (*interrupted)());
  line_reader(const line_reader&) = delete;
  line_reader& operator=(const line_reader&) = delete;

  enum class input { line, interrupt, end };
  /// A line, without its newline, or the first Ctrl-C since forget_interrupts().
  input read(std::string& line);
  void forget_interrupts();

 private:
  std::string unread_;
};

/// The most memory the process has had, bytes.
std::size_t peak_memory();

/// A bar on standard error for what takes long; nothing where that is no terminal.
class progress_bar {
 public:
  explicit progress_bar(std::string label);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  void operator()(std::size_t done, std::size_t total);

 private:
  using clock = std::chrono::steady_clock;
  std::string label_;
  clock::time_point start_ = clock::now();
  std::size_t percent_ = 0;
  bool shown_ = false;
};

}  // namespace terminal
