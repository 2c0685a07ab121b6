"""Packages, their folders and the extension; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages("runtime", include=["byteprop", "byteprop.*"]),
        *find_packages("host_tools", include=["byteprop_host", "byteprop_host.*"]),
    ],
    package_dir={
        "byteprop": "runtime/byteprop",
        "byteprop_host": "host_tools/byteprop_host",
    },
    cffi_modules=["runtime/build_kernels.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
