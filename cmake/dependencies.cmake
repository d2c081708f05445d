# SPDX-License-Identifier: Apache-2.0
# The libraries inlay builds on, one macro each; headers.cmake has the order in which they are looked for. inlay itself
# needs headers only and links none of them. Part of the installed package as well.

include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/headers.cmake")

macro(inlay_find_highway)
  inlay_headers(highway MINIMUM 1.2 PROBE hwy/highway.h KEEP hwy VERSION_IN hwy/base.h VERSION_MACRO HWY
    PINNED 1.2.0 ARCHIVE "https://github.com/google/highway/archive/1.2.0.tar.gz"
    SHA256 7e0be78b8318e8bdbf6fa545d2ecb4c90f947df03f7aadc42c1967f019e63343
    DEBIAN libhwy-dev)
endmacro()

macro(inlay_find_nlohmann_json)
  inlay_headers(nlohmann_json MINIMUM 3.11 PROBE nlohmann/json.hpp KEEP nlohmann
    VERSION_IN nlohmann/detail/abi_macros.hpp nlohmann/json.hpp VERSION_MACRO NLOHMANN_JSON_VERSION
    PINNED 3.11.3 ARCHIVE "https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz"
    SHA256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d
    DEBIAN nlohmann-json3-dev)
endmacro()

macro(inlay_find_ctre)
  inlay_headers(ctre MINIMUM 3.8 PROBE ctre/starts_with_anchor.hpp
    KEEP ctre ctre.hpp ctre-unicode.hpp ctll ctll.hpp unicode-db unicode-db.hpp
    PINNED 3.9.0 ARCHIVE "https://github.com/hanickadot/compile-time-regular-expressions/archive/v3.9.0.tar.gz"
    SHA256 55778712968d4f3ad00e9d20fc4d2149d14d96b4ff3dab086613797cd2ccd2b2
    DEBIAN libctre-dev)
endmacro()

macro(inlay_find_xsimd)
  inlay_headers(xsimd MINIMUM 11.0 PROBE xsimd/xsimd.hpp KEEP xsimd
    VERSION_IN xsimd/config/xsimd_config.hpp VERSION_MACRO XSIMD_VERSION
    PINNED 13.2.0 ARCHIVE "https://github.com/xtensor-stack/xsimd/archive/13.2.0.tar.gz"
    SHA256 edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
    DEBIAN libxsimd-dev)
endmacro()

macro(inlay_find_doctest)
  inlay_headers(doctest MINIMUM 2.4.9 PROBE doctest/doctest.h KEEP doctest
    VERSION_IN doctest/doctest.h VERSION_MACRO DOCTEST_VERSION
    PINNED 2.4.11 ARCHIVE "https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz"
    SHA256 632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186
    DEBIAN doctest-dev)
endmacro()

macro(inlay_find_cli11)
  inlay_headers(cli11 MINIMUM 2.1 PROBE CLI/CLI.hpp KEEP CLI VERSION_IN CLI/Version.hpp CLI/CLI.hpp VERSION_MACRO CLI11_VERSION
    PINNED 2.4.1 ARCHIVE "https://github.com/CLIUtils/CLI11/archive/v2.4.1.tar.gz"
    SHA256 73b7ec52261ce8fe980a29df6b4ceb66243bb0b779451dbd3d014cfec9fdbb58
    DEBIAN libcli11-dev)
endmacro()

# Optional, and the one that is linked: Unicode normal forms for tokenizers that ask for them. Sets INLAY_UTF8PROC_LIBRARY,
# or INLAY_UTF8PROC_SOURCE where there is only the C source.
macro(inlay_find_utf8proc)
  inlay_headers(utf8proc MINIMUM 2.5 PROBE utf8proc.h KEEP utf8proc.h utf8proc.c utf8proc_data.c
    VERSION_IN utf8proc.h VERSION_MACRO UTF8PROC_VERSION
    PINNED 2.9.0 ARCHIVE "https://github.com/JuliaStrings/utf8proc/archive/v2.9.0.tar.gz"
    SHA256 18c1626e9fc5a2e192311e36b3010bfc698078f692888940f1fa150547abb0c1
    DEBIAN libutf8proc-dev)
  find_file(INLAY_UTF8PROC_SOURCE utf8proc.c PATHS "${INLAY_UTF8PROC_INCLUDE_DIR}" NO_DEFAULT_PATH)
  find_library(INLAY_UTF8PROC_LIBRARY utf8proc HINTS "${INLAY_UTF8PROC_INCLUDE_DIR}/../lib")
  mark_as_advanced(INLAY_UTF8PROC_SOURCE INLAY_UTF8PROC_LIBRARY)
endmacro()

# Optional: the Jinja engine for chat templates that travel with checkpoints. It works with exceptions.
macro(inlay_find_minja)
  inlay_headers(minja OPTIONAL MINIMUM 0 PROBE minja/minja.hpp KEEP minja
    PINNED 2025.09.22 ARCHIVE "https://github.com/google/minja/archive/021c2293c187789ef13d56c6cfd89c9b134fd80f.tar.gz"
    SHA256 dc3ddd37497b79a4cd35fd41550e22b3b0139439de8be6eab3d2d024fed47bb4
    DEBIAN libminja-dev SUITE sid)
endmacro()
