"""Which dimension of an array is channels: pedalboard's rules, with its memory."""

from __future__ import annotations

import numpy as np

from smle_pedalboard.protocol import Audio, InputAudio


class ChannelLayout:
    """Turns arrays of either layout to (channels, time) and back.

    The smaller dimension is channels. The count of the last call settles what shapes leave open,
    and a shape that stays ambiguous takes the layout of the last call, as in pedalboard's
    `Plugin.h` and `BufferUtils.h`.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.forget()

    def forget(self) -> None:
        """Forget the layout of earlier calls."""
        self._interleaved: bool | None = None
        self._channels: int | None = None

    def read(self, array: InputAudio) -> Audio:
        """Copy an array to (channels, time).

        Args:
            array: (time,), (channels, time) or (time, channels).

        Returns:
            float32 (channels, time), contiguous, never sharing memory with the array.

        Raises:
            RuntimeError: if the layout cannot be told, in pedalboard's words.
        """
        try:
            self._interleaved = self._detect(array.shape)
        except RuntimeError as error:
            if self._interleaved is None:
                raise RuntimeError(
                    f"{error} Provide a non-square array first to allow Pedalboard to determine "
                    "which dimension corresponds with the number of channels and which dimension "
                    "corresponds with the number of samples."
                ) from None
            if array.ndim != 2:
                raise
        planar = array[np.newaxis] if array.ndim == 1 else array
        with np.errstate(over="ignore"):  # the enhancer refuses what passes single precision
            audio = np.array(planar.T if self._interleaved else planar, np.float32, order="C")
        self._channels = audio.shape[0] or self._channels
        return audio

    def write(self, audio: Audio, ndim: int) -> Audio:
        """Give (channels, time) the layout of the array that was read last.

        Args:
            audio: (channels, time).
            ndim: dimensions of the array that was read.

        Returns:
            (time,), (channels, time) or (time, channels), contiguous.
        """
        if ndim == 1:
            return audio.reshape(-1)
        return np.ascontiguousarray(audio.T if self._interleaved else audio)

    def _detect(self, shape: tuple[int, ...]) -> bool:
        """True if interleaved, that is (time, channels)."""
        if len(shape) == 1:
            return False
        if len(shape) != 2:
            raise RuntimeError(f"Number of input dimensions must be 1 or 2 (got {len(shape)}).")
        rows, columns = shape
        unknown = f"Unable to determine channel layout from shape: ({rows}, {columns})."
        if self._channels is not None:
            if rows == columns > 1:
                raise RuntimeError(unknown)
            if self._channels in shape:
                return rows != self._channels
        if 0 in shape and rows != columns:
            return rows == 0
        if rows != columns:
            return columns < rows
        if rows == 1:
            return False
        raise RuntimeError(unknown)
