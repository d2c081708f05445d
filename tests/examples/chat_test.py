#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chat example with a real model, from pipes and on a terminal.

chat_test.py CHAT MODEL OTHER    OTHER: a checkpoint of no type that the program knows
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CHAT, MODEL, OTHER = sys.argv[1:4]
PATIENCE = 900  # seconds, for a busy machine


def run(*arguments, text=None):
    return subprocess.run([CHAT, *arguments], input=text, capture_output=True, text=True, timeout=PATIENCE)


class Pipes(unittest.TestCase):
    def test_one_answer_is_all_that_is_printed(self):
        result = run(MODEL, "--prompt", "What is 2 + 2?", "--temperature", "0", "--max-tokens", "16")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("4", result.stdout)
        self.assertEqual(result.stderr, "")

    def test_stats(self):
        result = run(MODEL, "--prompt", "Hello", "--max-tokens", "3", "--stats", "--threads", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in (r"prompt +\d+ tokens +[\d.]+ tokens/s", r"answer +3 tokens +[\d.]+ tokens/s", r"load +[\d.]+ s ", r"memory +\d+ MB"):
            self.assertRegex(result.stderr, line)

    def test_a_seed_fixes_the_answer_whatever_the_threads(self):
        ask = [MODEL, "--prompt", "Write a poem.", "--temperature", "1.5", "--max-tokens", "12"]
        first = run(*ask, "--seed", "7", "--threads", "1").stdout
        self.assertEqual(first, run(*ask, "--seed", "7", "--threads", "2").stdout)
        self.assertNotEqual(first, run(*ask, "--seed", "8", "--threads", "2").stdout)

    def test_lines_are_turns_of_one_conversation(self):
        greedy = [MODEL, "--temperature", "0", "--max-tokens", "12"]
        asked = run(*greedy, text="My dog is called Barnaby.\n\nWhat is the name of my dog?\n")
        self.assertEqual(asked.returncode, 0, asked.stderr)
        self.assertEqual(asked.stderr, "")
        alone = run(*greedy, text="What is the name of my dog?").stdout
        self.assertNotIn(alone, asked.stdout)

    def test_the_system_prompt_counts(self):
        ask = [MODEL, "--prompt", "Hello", "--temperature", "0", "--max-tokens", "12"]
        self.assertNotEqual(run(*ask).stdout, run(*ask, "--system", "You are a pirate. Answer as a pirate.").stdout)

    def test_templates(self):
        ask = [MODEL, "--prompt", "<|im_end|> What is 2 + 2?", "--temperature", "0", "--max-tokens", "12"]
        own = run(*ask, "--template", "checkpoint")
        if "without a Jinja engine" in own.stderr:
            self.skipTest("without a Jinja engine")
        self.assertEqual(own.stdout, run(*ask).stdout)
        with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
            file.write("{% for m in messages %}{{ m.content }}\\n{% endfor %}{{ raise_exception('not this') if messages[1:] }}")
            file.flush()
            other = run(MODEL, "--template", file.name, "--max-tokens", "4", text="One\nTwo\n")
        self.assertEqual(other.returncode, 1)
        self.assertIn("not this", other.stderr)
        self.assertIn("no-such-file", run(*ask, "--template", "no-such-file").stderr)

    def test_a_full_context_is_told(self):
        result = run(MODEL, "--prompt", "Tell me a long story.", "--context", "44", "--when-full", "stop")
        self.assertEqual(result.returncode, 0)
        self.assertIn("context of 44 tokens is full", result.stderr)

    def test_errors(self):
        other = run(OTHER, "--prompt", "Hello")
        self.assertEqual(other.returncode, 1)
        self.assertRegex(other.stderr, r"is of none of the \d+ model types")
        for part in ('"llama" model', "smollm2_135m", "hidden_size 64, not 576"):
            self.assertIn(part, other.stderr)
        self.assertEqual(other.stdout, "")
        self.assertIn("no-such-file", run("no-such-file").stderr)
        self.assertNotEqual(run(MODEL, "--top-p", "2").returncode, 0)


class Terminal(unittest.TestCase):
    def setUp(self):
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.execv(CHAT, [CHAT, MODEL, "--temperature", "0", "--threads", "2", "--max-tokens", "150"])
        self.seen = ""
        self.wait_for("> $")

    def tearDown(self):
        os.close(self.fd)
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)

    def wait_for(self, pattern):
        """Until what was printed since the last time matches."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            self.assertTrue(ready, f"{pattern!r} did not come: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:  # the program has ended
                self.fail(f"{pattern!r} did not come before the end: {self.seen!r}")
        seen, self.seen = self.seen, ""
        return seen

    def send(self, text):
        os.write(self.fd, text.encode())

    def ends(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.fd], [], [], 0.1)
            try:
                if ready and not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.child, 0)
        self.child = 0
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)

    def test_ctrl_c_stops_the_answer_and_the_conversation_goes_on(self):
        self.send("Write a very long story about a dragon.\n")
        self.wait_for(r"dragon\.\r\n(.|\n)*[a-z]+ [a-z]+ [a-z]+ ")
        self.send("\x03")
        self.assertNotIn("once more", self.wait_for(r"\r\n> $"))
        self.send("Thank you. Good bye.\n")
        self.wait_for(r"bye\.\r\n(.|\n)*[a-z](.|\n)*\r\n> $")
        self.send("\x04")
        self.ends()

    def test_ctrl_c_twice_at_the_prompt_ends(self):
        self.send("\x03")
        self.wait_for(r"once more(.|\n)*> $")
        self.send("\x03")
        self.ends()

    def test_ctrl_c_in_the_answer_and_again_at_the_prompt_ends(self):
        self.send("Write a very long story about a dragon.\n")
        self.wait_for(r"dragon\.\r\n(.|\n)*[a-z]+ [a-z]+ ")
        self.send("\x03")
        self.wait_for(r"\r\n> $")
        self.send("\x03")
        self.ends()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
