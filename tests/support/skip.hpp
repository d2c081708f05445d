// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace inlay_test {

/// Ends the test program as "skipped" (ctest) once its cases have passed; the reason is printed. For what a machine may
/// lack: a model that cannot be downloaded, a CPU target.
void skip(const char* reason);

}  // namespace inlay_test
