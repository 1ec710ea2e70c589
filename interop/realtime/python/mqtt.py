"""paho over WebSocket: python mqtt.py PORT"""

import sys

import paho.mqtt.client as mqtt
from checks import check_sequence, wait_for

for version in (mqtt.MQTTv311, mqtt.MQTTv5):
    topic = f"paho/{version}"
    received = []
    subscribed = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=version, transport="websockets")
    client.ws_set_options(path="/mqtt")
    client.on_message = lambda _client, _data, message: received.append(message.payload.decode())
    client.on_subscribe = lambda *_: subscribed.append(True)
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    client.subscribe(topic, qos=1)
    wait_for("the subscription", lambda: subscribed)
    for number in range(1, 101):
        client.publish(topic, str(number), qos=1)
    wait_for("all messages", lambda: len(received) == 100)
    check_sequence(received, 1, 100)
    client.disconnect()
    client.loop_stop()
