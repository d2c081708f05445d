// SPDX-License-Identifier: Apache-2.0
// Sessions as values: saved, restored, rewound and rolled back, for models with every kind of state: caches, windows,
// states of Gated DeltaNet and of Mamba-2, caches that are lent.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "inlay/core/checksum.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/session.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using inlay::token_id;

using cached = tiny::llama_tied::model;
using windows = tiny::gemma3_local_global::model;
using delta = tiny::qwen35_multimodal::model;
using mamba = tiny::nemotron_h_dense::model;
using lending = tiny::gemma4_e4b::model;

constexpr std::size_t context = 64;
constexpr std::size_t window = 8;
const std::vector<token_id> prompt = {5, 80, 100, 33, 7, 60, 12, 200, 3, 9, 14, 71, 90, 44, 8, 101, 6, 54, 120, 2};

template <class Model>
const inlay::language_model& model() {
  static const auto loaded = inlay::load<Model>(
      inlay::concat(INLAY_TEST_DATA, "/models/", tiny::name_of<Model>(), "/model.gguf"), {.threads = 1});
  REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  return *loaded;
}

inlay::session_options options(std::size_t marks = 0, std::size_t rewind = 0) {
  return {.context = context, .threads = 1, .batch = 6, .marks = marks, .rewind = rewind};
}

void ok(const inlay::result<void>& r) { REQUIRE_MESSAGE(r.has_value(), r.error().message); }

/// The logits after each of some tokens, read one at a time.
std::vector<float> follow(inlay::session& s, std::span<const token_id> tokens) {
  std::vector<float> all;
  for (const token_id id : tokens) {
    ok(s.read({&id, 1}));
    all.insert(all.end(), s.logits().begin(), s.logits().end());
  }
  return all;
}
std::vector<token_id> history(const inlay::session& s) { return {s.history().begin(), s.history().end()}; }
std::vector<token_id> generated(inlay::session& s, std::span<const token_id> from, std::size_t count) {
  std::vector<token_id> ids;
  s.generate(from, {.max_tokens = count,
                    .ignore_model_stops = true,
                    .on_token = [&](token_id id) { return ids.push_back(id), true; }})
      .text();
  return ids;
}
inlay::buffer saved(const inlay::session& s) {
  auto bytes = s.save();
  REQUIRE_MESSAGE(bytes.has_value(), bytes.error().message);
  return *std::move(bytes);
}

}  // namespace

TEST_CASE_TEMPLATE("saved at every position, a session goes on in another one to the bit", Model, cached, windows,
                   delta, mamba, lending) {
  const std::vector<token_id> more = {77, 4, 150, 61, 9, 8, 33, 2, 1, 90, 41};
  for (std::size_t position = 0; position <= prompt.size(); ++position) {
    INFO("position " << position);
    inlay::session first(model<Model>(), options());
    ok(first.read(std::span(prompt).first(position)));
    const inlay::buffer bytes = saved(first);
    inlay::session second(model<Model>(), options());
    ok(second.read(more));  // what was there before does not matter
    ok(second.restore(bytes.bytes()));
    CHECK(history(second) == history(first));
    CHECK(std::equal(first.logits().begin(), first.logits().end(), second.logits().begin(), second.logits().end()));
    CHECK(follow(second, more) == follow(first, more));
    const inlay::buffer again = saved(first), same = saved(second);
    CHECK(again.size() == same.size());
    CHECK(std::memcmp(again.data(), same.data(), same.size()) == 0);
  }
}

TEST_CASE_TEMPLATE("a session of another context, batch and number of threads restores the same bytes", Model, cached,
                   windows, delta, mamba, lending) {
  inlay::session first(model<Model>(), options());
  ok(first.read(prompt));
  const inlay::buffer bytes = saved(first);
  for (const std::size_t length : {prompt.size(), prompt.size() + 4, std::size_t{400}})
    for (const std::size_t rewind : {0, 3}) {
      inlay::session other(model<Model>(), {.context = length, .threads = 3, .batch = 11, .rewind = rewind});
      ok(other.restore(bytes.bytes()));
      const inlay::buffer same = saved(other);
      REQUIRE(same.size() == bytes.size());
      CHECK(std::memcmp(bytes.data(), same.data(), same.size()) == 0);
    }
  inlay::session small(model<Model>(), {.context = prompt.size() - 1, .threads = 1});
  const auto too_long = small.restore(bytes.bytes());
  REQUIRE_FALSE(too_long.has_value());
  CHECK(too_long.error().code == inlay::errc::argument);
}

TEST_CASE_TEMPLATE("a generation that is cut and restored goes on as if nothing had been", Model, cached, windows,
                   delta, mamba, lending) {
  auto random = options();
  random.sampling = {.temperature = 1.0f, .seed = 11};
  inlay::session whole(model<Model>(), random);
  const auto ids = generated(whole, prompt, 20);
  inlay::session first(model<Model>(), random);
  auto head = generated(first, prompt, 9);
  const std::string file = inlay::concat("session_", tiny::name_of<Model>(), ".saved");
  ok(first.save_file(file));
  inlay::session second(model<Model>(), random);
  ok(second.restore_file(file));
  std::remove(file.c_str());
  const auto tail = generated(second, {}, 11);
  head.insert(head.end(), tail.begin(), tail.end());
  CHECK(head == ids);
  CHECK_FALSE(second.restore_file(file).has_value());
}

TEST_CASE_TEMPLATE("marks: back from a generation, to the bit, more than once", Model, cached, windows, delta, mamba,
                   lending) {
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, window - 1, window, window + 1, prompt.size()}) {
    INFO("position " << at);
    inlay::session s(model<Model>(), options(2));
    const std::span<const token_id> front = std::span(prompt).first(at), back = std::span(prompt).subspan(at);
    ok(s.read(front));
    const auto mark = s.mark();
    REQUIRE(mark.has_value());
    const auto expected = generated(s, back.empty() ? std::span<const token_id>(prompt) : back, 7);
    const auto later = s.mark();
    REQUIRE(later.has_value());
    const auto full = s.mark();
    REQUIRE_FALSE(full.has_value());
    CHECK(full.error().message.find('2') != std::string::npos);
    for (int i = 0; i < 3; ++i) {
      ok(s.rollback(*mark));
      CHECK(s.position() == at);
      CHECK_FALSE(s.rollback(*later).has_value());
      static_cast<void>(generated(s, std::vector<token_id>{99, 98, 97}, 3 * static_cast<std::size_t>(i)));
      ok(s.rollback(*mark));
      CHECK(generated(s, back.empty() ? std::span<const token_id>(prompt) : back, 7) == expected);
    }
    const auto logits = s.logits()[3];
    const auto here = s.mark();
    REQUIRE(here.has_value());
    ok(s.forget(*mark));
    CHECK_FALSE(s.forget(*mark).has_value());
    static_cast<void>(follow(s, std::span(prompt).first(5)));
    ok(s.rollback(*here));
    CHECK(s.logits()[3] == logits);
  }
}

TEST_CASE("rewinding: caches to anywhere, windows as far as they reach, recurrent states not at all") {
  const auto check = []<class Model>(Model*, std::size_t room, std::size_t read, std::size_t earliest) {
    for (std::size_t to = 0; to <= read; ++to) {
      INFO(tiny::name_of<Model>() << " with room for " << room << " from " << read << " to " << to);
      inlay::session s(model<Model>(), options(0, room)), fresh(model<Model>(), options(0, room));
      for (const token_id id : std::span(prompt).first(read)) ok(s.read({&id, 1}));
      const auto rewound = s.rewind(to);
      CHECK(rewound.has_value() == (to == 0 || to >= earliest));
      if (!rewound) {
        CHECK(rewound.error().code == inlay::errc::argument);
        CHECK(rewound.error().message.find(std::to_string(earliest)) != std::string::npos);
        CHECK(s.position() == read);
        continue;
      }
      CHECK(s.position() == to);
      CHECK(s.logits().empty() == (to != read));
      for (const token_id id : std::span(prompt).first(to)) ok(fresh.read({&id, 1}));
      const std::vector<token_id> other = {66, 130, 4, 4, 81, 19, 230, 11, 5, 7, 40};
      CHECK(follow(s, other) == follow(fresh, other));
      // Later steps back end where what the first one dropped had overwritten the ring.
      if (earliest != 0 && room != 0 && to + other.size() > read) CHECK_FALSE(s.rewind(to + other.size() - room - 2));
    }
  };
  for (const std::size_t read : {window / 2, window, prompt.size()}) {
    check(static_cast<cached*>(nullptr), 0, read, 0);
    for (const std::size_t room : {0, 3}) {
      check(static_cast<windows*>(nullptr), room, read, read <= window + room ? 0 : read - room - 1);
      check(static_cast<lending*>(nullptr), room, read, read <= window + room ? 0 : read - room - 1);
    }
    check(static_cast<delta*>(nullptr), 3, read, read);
    check(static_cast<mamba*>(nullptr), 0, read, read);
  }
  inlay::session s(model<cached>(), options());
  ok(s.read(prompt));
  CHECK_FALSE(s.rewind(prompt.size() + 1));
}

TEST_CASE("rewinding after rewinding and restoring never reads what was overwritten") {
  // A walk over random steps; whenever a step back is granted, the session must equal one that read just that.
  std::uint32_t random = 7;
  const auto next = [&](std::size_t below) { return (random = random * 1664525u + 1013904223u) / 65536u % below; };
  for (const std::size_t room : {0, 2, 5}) {
    inlay::session s(model<windows>(), options(1, room));
    int granted = 0;
    for (int step = 0; step < 120; ++step) {
      const std::size_t kind = next(8);
      if (kind == 0) {
        const inlay::buffer bytes = saved(s);
        ok(s.restore(bytes.bytes()));
      } else if (kind < 4 && s.position() > 0) {
        const std::size_t to = s.position() - next(std::min<std::size_t>(s.position(), 5) + 1);
        if (to == 0 || !s.rewind(to)) continue;
        ++granted;
        inlay::session fresh(model<windows>(), options(0, room));
        for (const token_id id : s.history()) ok(fresh.read({&id, 1}));
        const token_id id = static_cast<token_id>(next(272));
        if (s.position() == context) continue;
        CHECK(follow(s, {&id, 1}) == follow(fresh, {&id, 1}));
      } else if (s.position() == context) {
        ok(s.rewind(0));
      } else {
        const token_id id = static_cast<token_id>(next(272));
        ok(s.read({&id, 1}));
      }
    }
    CHECK(granted > 10);
  }
}

TEST_CASE("bytes that are cut, changed, or of another model are errors and change nothing") {
  inlay::session s(model<delta>(), options());
  ok(s.read(prompt));
  const inlay::buffer good = saved(s);
  inlay::session target(model<delta>(), options());
  ok(target.read(std::vector<token_id>{1, 2, 3}));
  const inlay::buffer before = saved(target);
  const auto unchanged = [&] {
    const inlay::buffer after = saved(target);
    return after.size() == before.size() && std::memcmp(after.data(), before.data(), after.size()) == 0;
  };
  const std::vector<std::byte> bytes(good.bytes().begin(), good.bytes().end());
  for (std::size_t n = 0; n < bytes.size(); n += n < 400 ? 1 : 97)
    CHECK_FALSE(target.restore(std::span(bytes).first(n)).has_value());
  std::vector<std::byte> longer = bytes;
  longer.push_back({});
  CHECK_FALSE(target.restore(longer).has_value());
  for (std::size_t i = 0; i < bytes.size(); i += i < 400 ? 1 : 61) {
    std::vector<std::byte> changed = bytes;
    changed[i] ^= std::byte{0x10};
    CHECK_FALSE(target.restore(changed).has_value());
  }
  CHECK(unchanged());

  const auto fails_with = [](inlay::session& into, const inlay::buffer& from, std::string_view words) {
    const auto restored = into.restore(from.bytes());
    REQUIRE_FALSE(restored.has_value());
    CHECK(restored.error().code == inlay::errc::mismatch);
    CHECK_MESSAGE(restored.error().message.find(words) != std::string::npos, restored.error().message);
  };
  inlay::session other(model<mamba>(), options());
  fails_with(other, good, "recurrent");
  auto f32 = options();
  f32.kv_type = inlay::dtype::f32;
  inlay::session wide(model<delta>(), f32);
  fails_with(wide, good, "F32");
  const auto safetensors = inlay::load<delta>(INLAY_TEST_DATA "/models/qwen35_multimodal", {.threads = 1});
  REQUIRE(safetensors.has_value());
  inlay::session same_shapes(*safetensors, options());
  fails_with(same_shapes, good, "weights");
}

TEST_CASE("hostile bytes with a checksum that fits: an error or a session that works, never a crash") {
  inlay::session s(model<windows>(), options());
  static_cast<void>(generated(s, prompt, 3));
  const inlay::buffer good = saved(s);
  std::uint32_t random = 3;
  const auto next = [&] { return random = random * 1664525u + 1013904223u; };
  int accepted = 0;
  for (int i = 0; i < 600; ++i) {
    std::vector<std::byte> bytes(good.bytes().begin(), good.bytes().end());
    const std::size_t end = bytes.size() - 8;
    const int changes = 1 + i % 3;
    for (int c = 0; c < changes; ++c) {
      const std::size_t at = 20 + next() / 256 % std::min<std::size_t>(end - 20, 500);
      bytes[at] = static_cast<std::byte>(next() >> 24);
      if (i % 4 == 0) std::memset(bytes.data() + at / 8 * 8, 0xff, 8);  // lengths without bounds
    }
    inlay::checksum sum;
    sum.add(std::span(bytes).first(end));
    const std::uint64_t value = sum.value();
    std::memcpy(bytes.data() + end, &value, 8);
    inlay::session target(model<windows>(), options());
    if (!target.restore(bytes)) continue;
    ++accepted;
    CHECK(target.position() <= context);
    static_cast<void>(generated(target, std::vector<token_id>{1}, 2));
  }
  CHECK(accepted > 0);
  CHECK(accepted < 600);
}

TEST_CASE_TEMPLATE("the constants count all of the state, and generating allocates nothing", Model, cached, windows,
                   delta, mamba, lending) {
  for (const std::size_t length : {1, 7, 8, 9, 100})
    for (const std::size_t rewind : {0, 5}) {
      const inlay::state_options o{length, inlay::dtype::f16, 4, rewind};
      std::vector<std::byte> memory(model<Model>().sequence_bytes(o));
      inlay::arena parts(memory.data(), memory.size());
      const std::byte* state = model<Model>().begin_sequence(parts, o);
      CHECK(parts.used() == memory.size());
      CHECK(memory.size() - inlay::align_up(sizeof(typename Model::state)) == Model::state_bytes(o));
      std::size_t all = 0, overwritten = 0;
      model<Model>().for_each_state_part(state, length, inlay::state_parts::all,
                                         [&](std::byte*, std::size_t n) { all += n; });
      model<Model>().for_each_state_part(state, length, inlay::state_parts::overwritten,
                                         [&](std::byte*, std::size_t n) { overwritten += n; });
      CHECK(all <= Model::state_bytes(o));
      CHECK(overwritten <= Model::mark_bytes(o));
      CHECK((length < window || overwritten == Model::mark_bytes(o)));
    }
  static_assert(Model::kv_cache_bytes(64) == Model::state_bytes({64, inlay::dtype::f16}));

  inlay::session s(model<Model>(), options(1, 2));
  ok(s.read(std::vector<token_id>{1, 2}));
  const auto mark = s.mark();
  REQUIRE(mark.has_value());
  ok(s.restore(saved(s).bytes()));
  static_cast<void>(s.generate(prompt, {.max_tokens = 20, .ignore_model_stops = true}));
  s.next_piece();
  const std::size_t before = allocation_count();
  while (s.next_piece()) {
  }
  CHECK(allocation_count() == before);
  CHECK(s.metrics().generated_tokens == 20);
}

static_assert(cached::mark_bytes({100, inlay::dtype::f16}) == 0);
static_assert(windows::mark_bytes({100, inlay::dtype::f16}) == 6 * 2 * 7 * 16 * 2, "six layers see seven positions");
static_assert(delta::mark_bytes({100, inlay::dtype::f16}) == 3 * 4 * (3 * 96 + 2 * 16 * 16), "three recurrent layers");
