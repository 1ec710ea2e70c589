"""A client that polls, with requests: python poll_client.py URL"""

import sys
import threading

import requests
from checks import check_sequence, publish_numbers

URL = sys.argv[1]
TOPIC = "/topic/requests"


def poll(session, **parameters):
    answer = session.get(f"{URL}/poll", params={"topic": TOPIC, **parameters}, timeout=15)
    answer.raise_for_status()
    return answer.json()


def publish():
    for first in range(1, 200, 10):
        publish_numbers(URL, TOPIC, first, first + 9)


session = requests.Session()
cursor = poll(session, wait=0)["cursor"]
publisher = threading.Thread(target=publish)
publisher.start()
numbers = []
while len(numbers) < 200:
    answer = poll(session, since=cursor, wait=5)
    numbers += [event["data"] for event in answer["events"]]
    cursor = answer["cursor"]
publisher.join()
check_sequence(numbers, 1, 200)
