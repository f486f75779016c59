#!/usr/bin/env python3
"""Chrome's opinion of every shader: makes a pipeline of each in headless Chromium over SwiftShader.

    tint.py SHADERS.json [--browser chromium]     SHADERS.json: what the ignored test of tests/shaders writes; see scripts/test-tint

Chrome compiles WGSL with Tint, which is stricter than naga above all in where barriers and subgroup operations may stand. Shaders with
cooperative matrices, which are naga's own, are not in the file; those in f16 are left out, and counted, where the adapter has none.
Fails when a shader is refused, or none could be tried.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MOST_SECONDS = 3600
FLAGS = ["--headless=new", "--no-first-run", "--disable-gpu-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader",
         "--enable-features=Vulkan"]  # fmt: skip

PAGE = """<!doctype html><title>shaders</title><script>
const tell = (path, value) => fetch(path, {method: "POST", body: JSON.stringify(value)});
(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return tell("/result", {fault: "this browser has no WebGPU adapter"});
    const wanted = ["subgroups", "shader-f16"].filter(name => adapter.features.has(name));
    const device = await adapter.requestDevice({requiredFeatures: wanted});
    const shaders = await (await fetch("/shaders.json")).json();
    const result = {features: wanted, made: 0, left_out: {}, refused: []};
    const one = async ([name, text]) => {
        // Comments speak of more than the code uses.
        text = text.replace(/\\/\\/.*$/gm, "");
        const needs = [[/subgroup/, "subgroups", "subgroups"], [/\\bf16\\b/, "f16", "shader-f16"]];
        for (const [use, extension, feature] of needs) {
            if (!use.test(text)) continue;
            if (!wanted.includes(feature)) {
                result.left_out[feature] = (result.left_out[feature] ?? 0) + 1;
                return;
            }
            // naga knows subgroup operations without being told.
            if (!text.includes(`enable ${extension};`)) text = `enable ${extension};\\n` + text;
        }
        try {
            const module = device.createShaderModule({code: text});
            await device.createComputePipelineAsync({layout: "auto", compute: {module, entryPoint: "main"}});
            result.made += 1;
        } catch (error) {
            result.refused.push([name, String(error.message)]);
        }
    };
    for (let next = 0; next < shaders.length; next += 16) {
        await Promise.all(shaders.slice(next, next + 16).map(one));
        if (next % 256 == 0) await tell("/progress", [next, shaders.length]);
    }
    await tell("/result", result);
})().catch(error => tell("/result", {fault: String(error)}));
</script>"""


def server(shaders: bytes, done: threading.Event, found: dict) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = {"/": ("text/html", PAGE.encode()), "/shaders.json": ("application/json", shaders)}
            kind, body = known.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in known else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            if self.path == "/progress":
                print(f"{said[0]} of {said[1]} shaders", file=sys.stderr, flush=True)
            else:
                found.update(said)
                done.set()

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shaders", type=Path)
    parser.add_argument("--browser", default="chromium")
    args = parser.parse_args()
    done, found = threading.Event(), {}
    at = server(args.shaders.read_bytes(), done, found).server_address[1]
    # Chromium does not start as root with its sandbox.
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [args.browser, *flags, f"--user-data-dir={profile}", f"http://127.0.0.1:{at}/"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        waited = 0
        while not done.wait(5) and browser.poll() is None and waited < MOST_SECONDS:
            waited += 5
        if browser.poll() is None:
            os.killpg(browser.pid, signal.SIGTERM)
            browser.wait()
    if not done.is_set():
        print(f"{args.browser} gave no answer", file=sys.stderr)
        return 1
    if "fault" in found:
        print(found["fault"], file=sys.stderr)
        return 1
    left_out = "".join(f", {count} left out, for the adapter has no {name}" for name, count in found["left_out"].items())
    print(f"Chromium made {found['made']} pipelines{left_out}, and refused {len(found['refused'])}")
    for name, why in found["refused"]:
        print(f"{name}\n{why}\n", file=sys.stderr)
    return 1 if found["refused"] or not found["made"] else 0


if __name__ == "__main__":
    sys.exit(main())
