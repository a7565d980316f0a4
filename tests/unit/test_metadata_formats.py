"""PNG, JPEG and WebP as other programs write them: where the texts are, and what hostile files cost."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdcore.library.exif import exif_texts
from sdcore.library.headers import MAX_TEXT, NotAnImageError, read_header
from sdcore.library.metadata import read_image, read_texts
from sdcore.library.xmp import packet, xmp_texts

TEXT = "a 家 house\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*before: bytes, after: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\0" * (6 * 25)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + rows + after + chunk(b"IEND", b"")


def itxt(name: str, text: bytes, packed: bool = False) -> bytes:
    return chunk(b"iTXt", name.encode() + (b"\0\1\0" if packed else b"\0\0\0") + b"en\0tr\0" + text)


def tiff(order: str, comment: bytes, kind: int = 7, *, below: bool = True, tag: int = 0x9286) -> bytes:
    """A block of EXIF with one entry, in the second directory or in the first."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHI", tag, kind, len(comment))
    if not below:
        return mark + struct.pack(f"{order}IH", 8, 1) + entry + struct.pack(f"{order}II", 26, 0) + comment
    first = struct.pack(f"{order}IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    return mark + first + struct.pack(f"{order}H", 1) + entry + struct.pack(f"{order}II", 44, 0) + comment


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "JPEG")
    parts = [bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data for kind, data in segments]
    return file.getvalue()[:2] + b"".join(parts) + file.getvalue()[2:]


def webp(exif: bytes = b"", xmp: bytes = b"", lossless: bool = False) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(file, "WEBP", exif=exif, xmp=xmp, lossless=lossless)
    return file.getvalue()


def written(folder: Path, data: bytes) -> Path:
    path = folder / "image"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        png(chunk(b"tEXt", b"parameters\0" + TEXT.encode())),
        png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(TEXT.encode()))),
        png(itxt("parameters", TEXT.encode())),
        png(itxt("parameters", zlib.compress(TEXT.encode()), packed=True)),
        png(after=itxt("parameters", TEXT.encode())),
        png(chunk(b"eXIf", tiff(">", b"UNICODE\0" + TEXT.encode("utf-16-be")))),
    ],
    ids=["tEXt", "zTXt", "iTXt", "packed iTXt", "behind the pixels", "eXIf"],
)
def test_png(data: bytes, tmp_path: Path) -> None:
    facts = read_image(written(tmp_path, data))
    assert (facts.prompt, facts.seed, facts.writer) == ("a 家 house", 1, "A1111")


def test_text_that_is_latin_as_the_standard_has_it(tmp_path: Path) -> None:
    header = read_texts(written(tmp_path, png(chunk(b"tEXt", b"Title\0caf\xe9"))))
    assert header.texts == {"Title": "café"}


_COMMENTS = {
    "utf-16 big": b"UNICODE\0" + TEXT.encode("utf-16-be"),
    "utf-16 little": b"UNICODE\0" + TEXT.encode("utf-16-le"),
    "utf-16 with a mark": b"UNICODE\0" + TEXT.encode("utf-16"),
    "ascii": b"ASCII\0\0\0" + TEXT.encode(),
    "undefined": b"\0" * 8 + TEXT.encode(),
    "no code": TEXT.encode(),
}


@pytest.mark.parametrize("comment", _COMMENTS.values(), ids=_COMMENTS.keys())
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("below", [True, False])
def test_the_user_comment(order: str, comment: bytes, below: bool, tmp_path: Path) -> None:
    block = tiff(order, comment, below=below)
    for data in (jpeg((0xE1, b"Exif\0\0" + block)), webp(exif=block), webp(exif=b"Exif\0\0" + block)):
        facts = read_image(written(tmp_path, data))
        assert (facts.prompt, facts.seed) == ("a 家 house", 1)


def test_other_places_in_a_jpeg(tmp_path: Path) -> None:
    assert read_image(written(tmp_path, jpeg((0xFE, TEXT.encode())))).seed == 1
    described = jpeg((0xE1, b"Exif\0\0" + tiff("<", TEXT.encode(), 2, below=False, tag=0x010E)))
    assert read_image(written(tmp_path, described)).seed == 1


def test_the_graph_of_comfyui_in_webp(tmp_path: Path) -> None:
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 9, "positive": "a", "negative": "b"}}
    }
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{json.dumps(graph)}"
    exif[0x010F] = "workflow:{}"
    facts = read_image(written(tmp_path, webp(exif=exif.tobytes())))
    assert (facts.writer, facts.seed, facts.prompt) == ("ComfyUI", 5, "a")


def test_the_xmp_of_draw_things(tmp_path: Path) -> None:
    said = (
        "{&quot;c&quot;:&quot;a &lt;lake&gt; &amp; hill&quot;,&quot;uc&quot;:&quot;&quot;,&quot;seed&quot;:9}"
    )
    body = f"<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>{said}</rdf:li></rdf:Alt></exif:UserComment>"
    for data in (
        png(itxt("XML:com.adobe.xmp", body.encode())),
        jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body.encode())),
        webp(xmp=body.encode()),
    ):
        facts = read_image(written(tmp_path, data))
        assert (facts.writer, facts.prompt, facts.seed) == ("Draw Things", "a <lake> & hill", 9)


@pytest.mark.parametrize("data", [png(), jpeg(), webp(), webp(lossless=True), webp(xmp=b"<x/>")])
def test_the_size_is_told(data: bytes, tmp_path: Path) -> None:
    header = read_header(written(tmp_path, data))
    with Image.open(tmp_path / "image") as image:
        assert (header.format, header.width, header.height) == (image.format, 8, 6)


def test_texts_that_unpack_to_too_much_are_left_out(tmp_path: Path) -> None:
    bomb = zlib.compress(b"x" * (MAX_TEXT + 1))
    data = png(chunk(b"zTXt", b"a\0\0" + bomb), itxt("b", bomb, packed=True), chunk(b"tEXt", b"c\0fine"))
    assert read_header(written(tmp_path, data)).texts == {"c": "fine"}


def test_the_first_of_two_texts_counts_and_there_are_not_too_many(tmp_path: Path) -> None:
    many = [chunk(b"tEXt", b"key%d\0x" % number) for number in range(1000)]
    texts = read_header(
        written(tmp_path, png(chunk(b"tEXt", b"a\0one"), chunk(b"tEXt", b"a\0two"), *many))
    ).texts
    assert texts["a"] == "one"
    assert len(texts) == 256


def test_a_directory_that_leads_to_itself(tmp_path: Path) -> None:
    circle = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x8769, 4, 1, 8)
    assert exif_texts(circle) == {}
    endless = b"II*\0" + struct.pack("<IHHHII", 8, 0xFFFF, 0x9286, 7, 0xFFFFFFFF, 0)
    assert isinstance(exif_texts(endless * 100), dict)


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    assert isinstance(exif_texts(b"II*\0" + data), dict)
    assert isinstance(exif_texts(b"MM\0*" + data), dict)
    assert isinstance(xmp_texts(b"<sdtui:texts>" + data + b"</sdtui:texts>"), dict)


_WHOLE = (
    png(itxt("a", b"b")),
    jpeg((0xE1, b"Exif\0\0" + tiff("<", _COMMENTS["ascii"]))),
    webp(xmp=packet({"a": "b"})),
)


@given(st.sampled_from(_WHOLE), st.data())
def test_any_damage_is_survived(whole: bytes, data: st.DataObject) -> None:
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(broken)
        file.flush()
        with contextlib.suppress(NotAnImageError):  # and nothing else
            assert read_header(file.name).width >= 0


@given(
    st.dictionaries(
        st.text(max_size=9), st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=4
    )
)
def test_texts_in_xmp_come_back(texts: dict[str, str]) -> None:
    made = packet(texts)
    assert xmp_texts(made) == texts
    assert made.isascii()
