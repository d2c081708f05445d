# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy


class InlayConan(ConanFile):
    name = "inlay"
    description = "Small language models as C++ types: a header-only library"
    license = "Apache-2.0"
    topics = ("language-model", "inference", "simd", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports = "include/inlay/config/version.hpp"
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True

    def set_version(self):
        header = Path(self.recipe_folder, "include/inlay/config/version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"define INLAY_VERSION_\w+ (\d+)", header))

    def requirements(self):
        # Headers only: nothing of these libraries is linked.
        for reference in ("highway/[>=1.2.0 <2]", "nlohmann_json/[>=3.11 <4]", "ctre/[>=3.8 <4]"):
            self.requires(reference, headers=True, libs=False, transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", self.source_folder, Path(self.package_folder, "licenses"))
        copy(self, "*.hpp", Path(self.source_folder, "include"), Path(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
