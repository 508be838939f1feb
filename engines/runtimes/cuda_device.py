"""Memory and a stream of the first NVIDIA GPU, through the driver's own library.

The driver is there wherever a GPU works, so a dozen calls of its C interface need no package.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from engines.errors import DeviceError
from engines.runtimes.base import Array

LIBRARY = "libcuda.so.1"
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
ON_DEVICE = 2  # CU_MEMORYTYPE_DEVICE


class Rows(NamedTuple):
    """Where rows of bytes begin, and how far apart."""

    address: int
    pitch_bytes: int


class _Copy2D(ctypes.Structure):
    """CUDA_MEMCPY2D of cuda.h."""

    _fields_ = (
        ("src_x", ctypes.c_size_t),
        ("src_y", ctypes.c_size_t),
        ("src_type", ctypes.c_uint),
        ("src_host", ctypes.c_void_p),
        ("src_device", ctypes.c_uint64),
        ("src_array", ctypes.c_void_p),
        ("src_pitch", ctypes.c_size_t),
        ("dst_x", ctypes.c_size_t),
        ("dst_y", ctypes.c_size_t),
        ("dst_type", ctypes.c_uint),
        ("dst_host", ctypes.c_void_p),
        ("dst_device", ctypes.c_uint64),
        ("dst_array", ctypes.c_void_p),
        ("dst_pitch", ctypes.c_size_t),
        ("width", ctypes.c_size_t),
        ("height", ctypes.c_size_t),
    )


class CudaDevice:
    """The first GPU. Its owner calls close().

    Raises:
        DeviceError: when there is no driver or no GPU.
    """

    def __init__(self) -> None:
        try:
            self._cuda = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise DeviceError(
                "there is no NVIDIA driver here; choose --runtime onnxruntime and a bundle "
                "with ONNX networks"
            ) from error
        self._call("cuInit", 0)
        device = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        name = ctypes.create_string_buffer(200)
        self._call("cuDeviceGetName", name, len(name), device)
        self.gpu = name.value.decode()
        digits = [ctypes.c_int(), ctypes.c_int()]
        for digit, attribute in zip(digits, (CAPABILITY_MAJOR, CAPABILITY_MINOR), strict=True):
            self._call("cuDeviceGetAttribute", ctypes.byref(digit), attribute, device)
        self.compute_capability = f"{digits[0].value}.{digits[1].value}"
        context = ctypes.c_void_p()
        self._device = device
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), 0)
        self.stream = stream.value or 0

    def allocate(self, size_bytes: int) -> int:
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        self._call("cuMemsetD8_v2", address, ctypes.c_ubyte(0), ctypes.c_size_t(size_bytes))
        return address.value

    def free(self, address: int) -> None:
        self._call("cuMemFree_v2", ctypes.c_uint64(address))

    def upload(self, address: int, value: Array) -> None:
        self._move("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), value.ctypes.data, value)

    def download(self, address: int, into: Array) -> None:
        self._move("cuMemcpyDtoHAsync_v2", into.ctypes.data, ctypes.c_uint64(address), into)

    def _move(
        self, name: str, to: int | ctypes.c_uint64, source: int | ctypes.c_uint64, host: Array
    ) -> None:
        """Copy between host and device behind all that was started, and wait for it."""
        ends = [ctypes.c_void_p(x) if isinstance(x, int) else x for x in (to, source)]
        stream = ctypes.c_void_p(self.stream)
        self._call(name, *ends, ctypes.c_size_t(host.nbytes), stream)
        self.synchronize()

    def copy_rows(self, to: Rows, source: Rows, width_bytes: int, rows: int) -> None:
        copy = _Copy2D(
            src_type=ON_DEVICE,
            src_device=source.address,
            src_pitch=source.pitch_bytes,
            dst_type=ON_DEVICE,
            dst_device=to.address,
            dst_pitch=to.pitch_bytes,
            width=width_bytes,
            height=rows,
        )
        self._call("cuMemcpy2DAsync_v2", ctypes.byref(copy), ctypes.c_void_p(self.stream))

    def synchronize(self) -> None:
        self._call("cuStreamSynchronize", ctypes.c_void_p(self.stream))

    def close(self) -> None:
        self._call("cuStreamDestroy_v2", ctypes.c_void_p(self.stream))
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._cuda.cuGetErrorString(code, ctypes.byref(text))
            reason = text.value.decode() if text.value else f"error {code}"
            raise DeviceError(f"the NVIDIA driver refused {name}: {reason}")
