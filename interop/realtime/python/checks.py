"""What the programs check."""

import time
from urllib.parse import urlencode

import requests


def wait_for(what, holds, seconds=15):
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)


def check_sequence(texts, first, last):
    """Fails unless these are the numbers from first to last, in order and each once."""
    expected = [str(number) for number in range(first, last + 1)]
    assert texts == expected, f"{texts} and not {first} to {last}"


def publish_numbers(url, topic, first, last):
    """Publishes numbers in one request, and returns their cursors."""
    messages = [{"destination": topic, "body": str(number)} for number in range(first, last + 1)]
    answer = requests.post(f"{url}/publish", json=messages, timeout=10)
    answer.raise_for_status()
    return [it["cursor"] for it in answer.json()]


def query(**parameters):
    return urlencode(parameters)
