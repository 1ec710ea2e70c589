"""stomp.py over WebSocket: python stomp_client.py PORT SCENARIO"""

import sys

import stomp
from checks import check_sequence, publish_numbers, wait_for

PORT = int(sys.argv[1])
URL = f"http://127.0.0.1:{PORT}"
TOPIC = f"/topic/stomp-py/{sys.argv[2]}"


class Heard(stomp.ConnectionListener):
    """Keeps what the server says."""

    def __init__(self):
        self.messages, self.receipts, self.errors = [], [], []
        self.is_disconnected = False

    def on_message(self, frame):
        self.messages.append(frame)

    def on_receipt(self, frame):
        self.receipts.append(frame.headers["receipt-id"])

    def on_error(self, frame):
        self.errors.append(frame)

    def on_disconnected(self):
        self.is_disconnected = True

    def bodies(self):
        return [frame.body for frame in self.messages]


def connect(**options):
    connection = stomp.WSStompConnection([("127.0.0.1", PORT)], ws_path="/ws", **options)
    heard = Heard()
    connection.set_listener("", heard)
    connection.connect(wait=True)
    return connection, heard


def subscribe(connection, heard, destination=TOPIC, **headers):
    connection.subscribe(destination, id="0", receipt="subscribed", **headers)
    wait_for("the subscription", lambda: "subscribed" in heard.receipts)


def sends():
    connection, heard = connect(heartbeats=(5000, 5000))
    subscribe(connection, heard)
    for number in range(1, 101):
        connection.send(TOPIC, str(number), headers={"colour": "a: b\\"})
    connection.send(TOPIC, "ünï\U0001f980" * 5000)
    wait_for("all messages", lambda: len(heard.messages) == 101)
    check_sequence(heard.bodies()[:100], 1, 100)
    assert heard.messages[0].headers["colour"] == "a: b\\", heard.messages[0]
    assert heard.bodies()[100] == "ünï\U0001f980" * 5000
    connection.disconnect(receipt="bye")
    wait_for("the receipt", lambda: "bye" in heard.receipts)


def acknowledges():
    queue = TOPIC.replace("/topic/", "/queue/")
    first, ours = connect()
    subscribe(first, ours, queue, ack="client-individual")
    for number in (1, 2):
        first.send(queue, str(number))
    wait_for("two messages", lambda: len(ours.messages) == 2)
    first.ack(ours.messages[1].headers["ack"], receipt="acknowledged")
    wait_for("the receipt", lambda: "acknowledged" in ours.receipts)
    first.disconnect()
    second, others = connect()
    subscribe(second, others, queue, ack="client-individual")
    wait_for("the other message", lambda: others.messages)
    assert others.bodies() == ["1"], others.bodies()
    second.nack(others.messages[0].headers["ack"])
    wait_for("it again", lambda: len(others.messages) == 2)
    second.ack(others.messages[1].headers["ack"], receipt="acknowledged")
    wait_for("the receipt", lambda: "acknowledged" in others.receipts)
    second.disconnect()


def transactions():
    connection, heard = connect()
    subscribe(connection, heard)
    aborted, committed = connection.begin(), connection.begin()
    connection.send(TOPIC, "never", transaction=aborted)
    connection.send(TOPIC, "2", transaction=committed)
    connection.send(TOPIC, "1")
    connection.abort(aborted)
    connection.commit(committed)
    connection.send(TOPIC, "3")
    wait_for("three messages", lambda: len(heard.messages) == 3)
    check_sequence(heard.bodies(), 1, 3)
    connection.disconnect()


def resumes():
    cursors = publish_numbers(URL, TOPIC, 1, 10)
    connection, heard = connect()
    subscribe(connection, heard, headers={"since": cursors[3]})
    publish_numbers(URL, TOPIC, 11, 12)
    wait_for("the rest", lambda: len(heard.messages) == 8)
    check_sequence(heard.bodies(), 5, 12)
    connection.disconnect()


def error():
    connection, heard = connect()
    connection.send("/elsewhere", "x", receipt="refused")
    wait_for("the end", lambda: heard.is_disconnected)
    assert [frame.headers["receipt-id"] for frame in heard.errors] == ["refused"], heard.errors


globals()[sys.argv[2]]()
