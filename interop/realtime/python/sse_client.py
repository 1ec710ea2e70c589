"""sseclient-py: python sse_client.py URL SCENARIO"""

import itertools
import sys

import requests
import sseclient
from checks import check_sequence, publish_numbers, query

URL = sys.argv[1]
TOPIC = f"/topic/sseclient-py/{sys.argv[2]}"


def open_stream(headers=None, **parameters):
    address = f"{URL}/events?{query(topic=TOPIC, **parameters)}"
    answer = requests.get(address, stream=True, headers=headers, timeout=15)
    answer.raise_for_status()
    return sseclient.SSEClient(answer).events()


def events():
    stream = open_stream()
    cursors = publish_numbers(URL, TOPIC, 1, 100)
    got = [event for event in itertools.islice(only_messages(stream), 100)]
    check_sequence([event.data for event in got], 1, 100)
    assert [event.id for event in got] == cursors


def resumes():
    cursors = publish_numbers(URL, TOPIC, 1, 20)
    stream = open_stream({"Last-Event-ID": cursors[9]})
    got = [event.data for event in itertools.islice(only_messages(stream), 10)]
    check_sequence(got, 11, 20)


def only_messages(stream):
    """Leaves out what has an ID alone, which this client also passes on."""
    return (event for event in stream if event.data)


globals()[sys.argv[2]]()
