"""Fuzzing of all readers: mutated files give a value or one sentence, in bounded time and memory."""
