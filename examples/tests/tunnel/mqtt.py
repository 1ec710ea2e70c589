"""An MQTT client of paho, unchanged: publishes, and expects to receive what it has published.

usage: mqtt.py HOST PORT tcp|websockets
"""

import queue
import sys

import paho.mqtt.client as mqtt

MESSAGES = [b"first", b"", bytes(range(256)) * 1200]
host, port, transport = sys.argv[1], int(sys.argv[2]), sys.argv[3]

received = queue.Queue()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport=transport)
client.on_connect = lambda client, *_: client.subscribe("tunnel/#", qos=1)
client.on_subscribe = lambda *_: received.put("subscribed")
client.on_message = lambda client, data, message: received.put((message.topic, message.payload))
client.connect(host, port, keepalive=10)
client.loop_start()
assert received.get(timeout=20) == "subscribed"
for number, payload in enumerate(MESSAGES):
    client.publish(f"tunnel/{number}", payload, qos=1).wait_for_publish(timeout=20)
    topic, echoed = received.get(timeout=20)
    assert (topic, echoed) == (f"tunnel/{number}", payload), (topic, len(echoed))
client.disconnect()
client.loop_stop()
print("ok")
