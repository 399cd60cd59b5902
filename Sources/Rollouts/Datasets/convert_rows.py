"""Rows of Parquet and Arrow files as JSON lines, and compressed files as they were: OUT FORM FILE...

Exits with 3 where no installed module can read the form; the last line of stderr names those that could.
"""
import base64, datetime, decimal, json, math, sys

LIMIT = 16 << 30


def plain(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(member) for member in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return base64.b64encode(raw).decode()
    if isinstance(value, decimal.Decimal):
        return plain(float(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def lacking(names):
    print(names, file=sys.stderr)
    sys.exit(3)


def parquet_rows(path):
    try:
        import pyarrow.parquet
    except ImportError:
        pass
    else:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(1024):
            yield from batch.to_pylist()
        return
    try:
        import duckdb
    except ImportError:
        pass
    else:
        cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [path])
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(1024):
            for row in rows:
                yield dict(zip(names, row))
        return
    try:
        import pandas
        frame = pandas.read_parquet(path)
    except ImportError:
        lacking("pyarrow, duckdb, or pandas with fastparquet")
    for row in frame.to_dict("records"):
        yield row


def arrow_rows(path):
    try:
        import pyarrow
    except ImportError:
        lacking("pyarrow")
    with pyarrow.memory_map(path) as source:
        try:
            table = pyarrow.ipc.open_stream(source)
        except pyarrow.ArrowInvalid:
            reader = pyarrow.ipc.open_file(source)
            table = (reader.get_batch(index) for index in range(reader.num_record_batches))
        for batch in table:
            yield from batch.to_pylist()


def decompressed(path, form):
    if form == "gzip":
        import gzip

        return gzip.open(path, "rb")
    try:
        import zstandard
    except ImportError:
        pass
    else:
        return zstandard.open(path, "rb")
    try:
        import pyarrow
    except ImportError:
        lacking("zstandard or pyarrow")
    return pyarrow.input_stream(path, compression="zstd")


def main():
    target, form, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    if form in ("gzip", "zstd"):
        size = 0
        with open(target, "wb") as out:
            for path in files:
                with decompressed(path, form) as source:
                    while piece := source.read(1 << 20):
                        size += len(piece)
                        if size > LIMIT:
                            sys.exit(f"it is more than {LIMIT >> 30} GiB")
                        out.write(piece)
        return
    rows = parquet_rows if form == "parquet" else arrow_rows
    with open(target, "w", encoding="utf-8", errors="surrogatepass", newline="\n") as out:
        for path in files:
            for row in rows(path):
                out.write(json.dumps(plain(row), ensure_ascii=False, allow_nan=False))
                out.write("\n")


main()
