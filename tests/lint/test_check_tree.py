#!/usr/bin/env python3
"""The lint must be able to fail: every rule of check_tree.py is broken once, in a small tree made for it."""

import tempfile
import unittest
from pathlib import Path

from check_tree import check_tree, main

GOOD_TREE = {
    "src/base/log.c": '#include "introspectd/log.h"\n\n#include <openssl/crypto.h>\n',
    "src/base/digest.c": '#include "introspectd/digest.h"\n\n#include <openssl/evp.h>\n',
    "src/cache/lru.c": '#include "introspectd/lru.h"\n\n#include "introspectd/digest.h"\n',
    "src/jose/verify.c": '#include "introspectd/verify.h"\n',
    "src/policy/config.c": '#include "introspectd/config.h"\n\n#include "introspectd/verify.h"\n#include "yaml_tree.h"\n',
    "src/policy/yaml_tree.h": "#include <yaml.h>\n",
    "src/http/server.c": '#include "introspectd/config.h"\n\n#include <h2o.h>\n#include <h2o/http1.h>\n',
    "src/keys/fetch.c": '#include "introspectd/verify.h"\n\n#include <curl/curl.h>\n',
    "src/cli/mint.c": '#include "introspectd/verify.h"\n\n#include <jwt.h>\n',
    "include/introspectd/slice.h": "/*\n * slice: bytes.\n */\n",
    "include/introspectd/log.h": '/*\n * log: lines.\n */\n#include "introspectd/slice.h"\n',
    "src/http/tls.h": "#include <openssl/ssl.h>\n",
    "tests/unit/cache/test_lru.c": '#include "introspectd/lru.h"\n#include <cmocka.h>\n',
}


class CheckTree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, text in GOOD_TREE.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def assert_finding(self, name, text, expected):
        """Exactly one finding, in this file, that says this."""
        self.write(name, text)
        findings = check_tree(self.root)
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(name + ":"), findings)
        self.assertIn(expected, findings[0])

    def test_good_tree_has_no_findings(self):
        self.assertEqual(check_tree(self.root), [])
        self.assertEqual(main([str(self.root)]), 0)

    def test_finding_is_exit_status_1(self):
        self.write("src/base/clock.c", "#include <h2o.h>\n")
        self.assertEqual(main([str(self.root)]), 1)

    def test_no_tree_is_exit_status_1(self):
        self.assertEqual(main([str(self.root / "include")]), 1)

    def test_wrong_direction(self):
        for name, header, says in [
            ("src/base/clock.c", "lru.h", "base includes introspectd/lru.h of cache"),
            ("src/cache/cache.c", "verify.h", "cache includes introspectd/verify.h of jose"),
            ("src/jose/jwk.c", "config.h", "jose includes introspectd/config.h of policy"),
            ("src/policy/client.c", "server.h", "policy includes introspectd/server.h of http"),
            ("src/keys/refresher.c", "config.h", "keys includes introspectd/config.h of policy"),
            ("src/http/tls.c", "fetch.h", "http includes introspectd/fetch.h of keys"),
            ("tests/unit/base/test_log.c", "lru.h", "base includes introspectd/lru.h of cache"),
        ]:
            with self.subTest(name):
                self.assert_finding(name, f'#include "introspectd/{header}"\n', says)
                (self.root / name).unlink()

    def test_wrong_direction_in_public_header(self):
        self.assert_finding(
            "include/introspectd/digest.h", '/*\n * digest: x.\n */\n#include "introspectd/lru.h"\n', "base includes"
        )

    def test_header_of_no_layer(self):
        self.assert_finding("src/base/clock.c", '#include "introspectd/ghost.h"\n', "belongs to no layer")

    def test_header_of_other_folder(self):
        self.assert_finding("src/http/tls.c", '#include "../policy/yaml_tree.h"\n', "of the same folder")

    def test_third_party_header_outside_its_owner(self):
        for name, header in [
            ("src/policy/client.c", "h2o.h"),
            ("src/cli/serve.c", "h2o/http2.h"),
            ("src/keys/refresher.c", "curl/curl.h"),
            ("src/jose/jwk.c", "jwt.h"),
            ("src/policy/client.c", "yaml.h"),
            ("src/policy/client.c", "openssl/evp.h"),
            ("src/base/file.c", "openssl/rand.h"),
            ("src/http/endpoint.c", "openssl/ssl.h"),
            ("src/base/file.c", "cmocka.h"),
        ]:
            with self.subTest(name=name, header=header):
                self.assert_finding(name, f"#include <{header}>\n", f"<{header}> belongs to")
                (self.root / name).unlink()

    def test_public_header_shows_third_party_header(self):
        self.assert_finding(
            "include/introspectd/digest.h", "/*\n * digest: x.\n */\n#include <openssl/evp.h>\n", "public header shows"
        )

    def test_public_header_without_opening(self):
        self.assert_finding("include/introspectd/digest.h", "/* Good. */\nint digest_a(void);\n", "does not open")

    def test_long_file(self):
        self.assert_finding("src/base/clock.c", "\n" * 551, "551 lines")

    def test_vague_name(self):
        self.assert_finding("src/base/utils.c", "\n", "says nothing")

    def test_machine_traces(self):
        for text in ["see /" + "work/x", "HOME=/root/x", "/home/someone/x", "https://registry.example.org/x", "europe.pkg.dev"]:
            with self.subTest(text):
                self.assert_finding("README.md", text + "\n", "a machine's path or a package registry")

    def test_what_is_no_machine_trace(self):
        self.write("README.md", "../shared/vectors tests/work/x https://example.com/work/x rooted /work\n")
        self.assertEqual(check_tree(self.root), [])

    def test_build_folder_is_left_alone(self):
        self.write("build/x/bad.c", "#include <h2o.h>\n")
        self.assertEqual(check_tree(self.root), [])


if __name__ == "__main__":
    unittest.main()
