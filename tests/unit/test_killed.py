"""kill -9 at random moments of saving and of indexing: nothing that was acknowledged is lost, nothing is half."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from PIL import Image

from sdcore.library import paths
from sdcore.library.index import Index, schema
from sdcore.library.metadata import read_image
from tests.library_files import keeping, until

ROUNDS = 200


def test_kill_9_at_random_moments(private_home: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(ROUNDS), str(seed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    result = json.loads(done.stdout)
    assert result["killed"] == 2 * ROUNDS, f"seed {seed}: {done.stderr}"
    assert len(result["kept"]) > ROUNDS // 10, "enough was saved for the kills to hit"

    files = {str(path) for path in paths.outputs_dir().rglob("[!.]*") if path.is_file()}
    assert files >= set(result["kept"]), f"seed {seed}: an acknowledged image is lost"
    for path in files:
        with Image.open(path) as image:
            image.load()
        assert read_image(path).exact, f"seed {seed}: {path}"

    index = Index.open()
    assert index.count() > 0, "the keepers that were killed had written"
    with keeping():
        until(lambda: {row.path for row in index.rows(index.ids())} == files)
    index.close()
    with sqlite3.connect(schema.index_file()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("image", "words")
        ]
    assert counts == [(len(files),)] * 2
