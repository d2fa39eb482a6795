"""Builds the compiled kernels beside an editable installation, where there is a C compiler; all else is pyproject.toml.

They are optional: without a compiler the installation succeeds and NumPy computes the same bits.  The build goes to
``build/kernels``, outside the sealed tree.  A wheel has the sources alone.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
KERNELS = runpy.run_path(str(HERE / "engine" / "kernels" / "sources.py"))


class BuildKernels(build_ext):
    """Compiles a plain shared library: no module of Python, so no symbol of one, and a name without its version."""

    def run(self) -> None:
        # Else a library of other sources would stay where this build fails.
        KERNELS["BUILT"].unlink(missing_ok=True)
        if self.inplace:
            super().run()

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return list(ext.export_symbols)

    def copy_extensions_to_source(self) -> None:
        for extension in self.extensions:
            built = Path(self.build_lib) / self.get_ext_filename(self.get_ext_fullname(extension.name))
            if built.is_file():
                KERNELS["BUILT"].parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(built, KERNELS["BUILT"])


def sources() -> list[str]:
    """Return the C files, as setuptools wants them: relative to this file."""
    return sorted(path.relative_to(HERE).as_posix() for path in KERNELS["FOLDER"].glob("*.c"))


setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=[
        Extension(
            "engine.kernels.compiled",
            sources(),
            depends=[path.relative_to(HERE).as_posix() for path in KERNELS["FOLDER"].glob("*.h")],
            define_macros=[("KERNEL_SOURCES", f'"{KERNELS["digest"]()}"')],
            extra_compile_args=list(KERNELS["FLAGS"]),
            optional=True,
        )
    ],
)
