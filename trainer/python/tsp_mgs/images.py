"""Converts paths, bytes, PIL images and Arrow columns to the columns `image` and `prompt` that `trainer` reads."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

import pyarrow as pa

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike: TypeAlias = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "Image"]

# A row has either the bytes of an image file or its path, as in Hugging Face's type of images. A batch may exceed 2 GiB.
IMAGE = pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])
SCHEMA = pa.schema([("image", IMAGE), ("prompt", pa.string())])

# PNG stores these modes without conversion. Other modes are converted to RGB first.
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def check(images: Sequence[ImageLike], prompts: Sequence[str | None]) -> None:
    """Checks the types of images and prompts. Raises TypeError or ValueError, which name the first wrong one."""
    check_count(images, prompts)
    for i, image in enumerate(images):
        if not (isinstance(image, (str, os.PathLike, bytes, bytearray, memoryview)) or is_pil(image)):
            raise TypeError(f"images[{i}]: expected a path, the bytes of an image file or a PIL image, found {type(image).__name__}")
    for i, prompt in enumerate(prompts):
        if not (prompt is None or isinstance(prompt, str)):
            raise TypeError(f"prompts[{i}]: expected a str or None, found {type(prompt).__name__}")


def check_count(images: Sequence[object], prompts: Sequence[str | None]) -> None:
    """Raises ValueError if the numbers of images and prompts differ."""
    if len(images) != len(prompts):
        raise ValueError(f"expected a prompt for each image: {len(images)} images, found {len(prompts)} prompts")


def is_pil(image: object) -> bool:
    """Whether this is a PIL image. It is recognised by its attributes, so that Pillow need not be imported."""
    return all(hasattr(image, name) for name in ("mode", "getexif", "save"))


def batches(images: Sequence[ImageLike], prompts: Sequence[str | None], rows: int) -> Iterator[pa.RecordBatch]:
    """Yields record batches of `SCHEMA` with at most `rows` rows. PIL images are encoded when their batch is requested."""
    for first in range(0, len(images), rows):
        values = [image_value(image, i) for i, image in enumerate(images[first : first + rows], first)]
        columns = [pa.array(values, IMAGE), pa.array(list(prompts[first : first + rows]), pa.string())]
        yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def image_value(image: ImageLike, i: int) -> dict[str, object]:
    """An image as a value of type `IMAGE`. `i` is its index, for errors."""
    if isinstance(image, str) and ("://" in image or image.startswith("data:")):
        return {"path": image}
    if isinstance(image, (str, os.PathLike)):
        return {"path": os.path.abspath(image)}
    if isinstance(image, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(image)}
    try:
        return {"bytes": png(image)}
    except (OSError, ValueError) as error:
        raise ValueError(f"images[{i}]: the PIL image cannot be read: {error}") from error


def path(image: object) -> str | None:
    """The path of an image that is a path, given as a str or as an Arrow value; else None."""
    if isinstance(image, pa.Scalar):
        image = image.as_py()
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else None


def png(image: Image) -> bytes:
    """Encodes a PIL image as PNG, without loss. Its EXIF orientation is applied, as `trainer` does for image files."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode not in PNG_MODES:
        upright = upright.convert("RGB")
    file = io.BytesIO()
    # The least compression, because the bytes are only sent through a pipe.
    upright.save(file, "PNG", compress_level=1)
    return file.getvalue()


def arrow_column(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Converts an Arrow column of paths, of bytes of image files, or of Hugging Face's images to type `IMAGE`."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        fields = {field: column.combine_chunks().field(field) for field in kind.names if field in ("bytes", "path")}
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        fields = {"path": column.combine_chunks()}
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        fields = {"bytes": column.combine_chunks()}
    else:
        raise TypeError(f"column `{name}`: expected paths (text), images (bytes) or Hugging Face's images, found {kind}")
    rows = len(column)
    cast = [fields[field.name].cast(field.type) if field.name in fields else pa.nulls(rows, field.type) for field in IMAGE]
    return pa.chunked_array([pa.StructArray.from_arrays(cast, fields=list(IMAGE))])
