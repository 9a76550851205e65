"""What pyarrow reads in the entries that pyarrow.ts writes. Needs pyarrow; run from the repository's root:

    node --import tsx test/cache/pyarrow.ts /tmp/exact | python test/cache/pyarrow.py > test/cache/pyarrow.json
"""

import hashlib
import json
import pathlib
import sys

# The script's own folder would otherwise shadow the package of the same name.
sys.path.pop(0)
import pyarrow.ipc  # noqa: E402


def table_of(path):
    with pyarrow.ipc.open_file(path) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def facts(folder):
    shards = sorted(pathlib.Path(folder).glob("z-*.arrow"))
    rows = table_of(pathlib.Path(folder) / "rows.arrow")
    return {
        "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(pathlib.Path(folder).glob("*.arrow"))},
        "schema": [[f.name, str(f.type), f.nullable] for f in rows.schema],
        "rows": rows.to_pylist(),
        "z": [[float(x) for x in row] for p in shards for row in table_of(p)["z"].to_pylist()],
        "metadata": [{k.decode(): v.decode() for k, v in table_of(p).schema.metadata.items()} for p in shards],
    }


json.dump({dtype: facts(folder) for dtype, folder in json.load(sys.stdin).items()}, sys.stdout, indent=1)
