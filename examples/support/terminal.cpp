// SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

namespace terminal {

namespace {

void (*on_interrupt)() = nullptr;
int interrupts[2];  // a pipe with a byte for each Ctrl-C, so that one cannot be missed between two system calls

void handle(int) {
  const int before = errno;
  on_interrupt();
  [[maybe_unused]] const ssize_t written = write(interrupts[1], "", 1);
  errno = before;
}

}  // namespace

bool input_is_terminal() { return isatty(STDIN_FILENO) != 0; }

line_reader::line_reader(void (*interrupted)()) {
  on_interrupt = interrupted;
  if (pipe(interrupts) != 0) return;  // then Ctrl-C ends the program, as ever
  for (const int end : interrupts) fcntl(end, F_SETFL, O_NONBLOCK);
  struct sigaction action = {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

void line_reader::forget_interrupts() {
  char bytes[64];
  while (::read(interrupts[0], bytes, sizeof bytes) > 0) {
  }
}

line_reader::input line_reader::read(std::string& line) {
  while (true) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return input::line;
    }
    pollfd ready[2] = {{STDIN_FILENO, POLLIN, 0}, {interrupts[0], POLLIN, 0}};
    if (poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents != 0) {
      forget_interrupts();
      unread_.clear();
      return input::interrupt;
    }
    char bytes[4096];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      line = std::exchange(unread_, {});
      return line.empty() ? input::end : input::line;
    }
    unread_.append(bytes, static_cast<std::size_t>(count));
  }
}

std::size_t peak_memory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<std::size_t>(usage.ru_maxrss);
#else
  return static_cast<std::size_t>(usage.ru_maxrss) << 10;
#endif
}

progress_bar::progress_bar(std::string label) : label_(std::move(label)) {}

progress_bar::~progress_bar() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void progress_bar::operator()(std::size_t done, std::size_t total) {
  constexpr std::size_t width = 40;
  constexpr std::chrono::milliseconds patience(400);
  const std::size_t percent = total == 0 ? 100 : done * 100 / total;
  if (percent == percent_ || clock::now() - start_ < patience || isatty(STDERR_FILENO) == 0) return;
  percent_ = percent;
  shown_ = true;
  std::string bar(percent * width / 100, '#');
  bar.resize(width, '-');
  std::fprintf(stderr, "\r%s [%s] %3zu %%", label_.c_str(), bar.c_str(), percent);
}

}  // namespace terminal
