# SPDX-License-Identifier: Apache-2.0
"""Writes include/inlay/text/unicode_table.hpp from the Unicode Character Database.

    python3 tokenizers_unicode.py UCD_DIRECTORY VERSION > include/inlay/text/unicode_table.hpp

UCD_DIRECTORY holds UnicodeData.txt and DerivedAge.txt (Debian: package unicode-data, /usr/share/unicode). Code points
that are younger than VERSION count as unassigned, so that one directory gives the table of any earlier version.
"""

import sys

# The order of `enum class category` in unicode.hpp.
NAMES = ["lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "p", "s", "z", "ws", "cc", "cf", "co"]
EVEN_UPPER, ODD_UPPER = len(NAMES), len(NAMES) + 1  # pairs of letters: upper and lower case in turn
WHITE_CONTROLS = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}
CHANGED = {0x295: ([17, 0], "ll")}  # code points whose category changed: since when, what it was before


def number(name, code):
    if code in WHITE_CONTROLS:
        return NAMES.index("ws")
    name = name.lower()
    if name[0] in "psz":
        return NAMES.index(name[0])
    return NAMES.index(name) if name in NAMES else NAMES.index("co")  # co: private use, surrogate, unassigned


def read(directory, version):
    categories = [NAMES.index("co")] * 0x110000
    first = None
    for line in open(directory + "/UnicodeData.txt", encoding="utf-8"):
        fields = line.split(";")
        code = int(fields[0], 16)
        if fields[1].endswith("First>"):
            first = code
            continue
        for c in range(first if first is not None else code, code + 1):
            categories[c] = number(fields[2], c)
        first = None
    for line in open(directory + "/DerivedAge.txt", encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        codes, age = (part.strip() for part in line.split(";"))
        if [int(n) for n in age.split(".")] > version:
            low, _, high = codes.partition("..")
            for c in range(int(low, 16), int(high or low, 16) + 1):
                categories[c] = NAMES.index("co")
    for code, (since, before) in CHANGED.items():
        if version < since:
            categories[code] = NAMES.index(before)
    return categories


def ranges(categories):
    out = []
    code = 0
    while code < len(categories):
        end = code + 1
        while end < len(categories) and categories[end] == categories[code]:
            end += 1
        turn = code
        while turn + 1 < len(categories) and {categories[turn], categories[turn + 1]} == {0, 1}:
            turn += 1
        turn += 1
        if turn - code > max(3, end - code):
            out.append((code, EVEN_UPPER if (categories[code] == 0) == (code % 2 == 0) else ODD_UPPER))
            code = turn
        else:
            if not out or out[-1][1] != categories[code]:
                out.append((code, categories[code]))
            code = end
    return out


def main():
    version = [int(n) for n in sys.argv[2].split(".")]
    table = ranges(read(sys.argv[1], version))
    print(f"""// SPDX-License-Identifier: Apache-2.0
// General categories of Unicode {sys.argv[2]} as ranges: (first code point << 5) | number, the number being an
// enumerator of inlay::unicode::category or one of the two pseudo-categories of letters that alternate in case.
// Written by tests/reference/tokenizers_unicode.py from the Unicode Character Database (unicode.org/license.txt).
#pragma once

#include <cstdint>

namespace inlay::unicode {{

// clang-format off
inline constexpr std::uint32_t category_ranges[] = {{""")
    line = ""
    for start, category in table:
        item = f"{start << 5 | category:#x}, "
        if len(line) + len(item) > 120:
            print(line.rstrip())
            line = ""
        line += item
    print(line.rstrip() + """
};
// clang-format on

}  // namespace inlay::unicode""")


main()
