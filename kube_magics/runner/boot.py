import binascii
import io
import os
import sys
import time

if __name__ == "__main__":
    __import__("_signal").pthread_sigmask(0, (2, 15))
    text, at, n, sha = (os.environ.pop("KUBE_MAGICS_BUNDLE" + k, "") for k in ("", "_DIR", "_PARTS", "_SHA256"))
    for name in ("_sha2", "_sha256", "hashlib"):
        try:
            sha256 = __import__(name).sha256
            break
        except ImportError:
            continue
    parts = [f"{at}/part-{i:03}" for i in range(int(n or 0))]
    for _ in range(600):
        if not all(map(os.path.exists, parts)):
            time.sleep(0.1)
    data = b"".join(io.FileIO(p).readall() for p in parts) or binascii.a2b_base64(text)
    if sha256(data).hexdigest() != sha:
        sys.exit('\x1e{"e":"end","code":1,"reason":"bundle"}')
    top = f"{os.getenv('TMPDIR', '/tmp')}/kube-magics-{os.urandom(8).hex()}"
    os.makedirs(top, 0o700)
    with open(top + "/zip", "wb") as f:
        f.write(data)
    del text, data
    sys.path += [f.name]
    __import__("kube_magics_runner.unpack").unpack.main(f.name)
