-- Gives messages of a queue to a node.
-- KEYS: state, taken, waiting, queued, deliveries, alive
-- ARGV: epoch, queue, how many messages, how many bytes, the connection
-- Returns whether there are more, and of each message its position, how often it was delivered, and itself.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
-- What an earlier connection has asked for can arrive after this node was told what it has, and nobody
-- returns what a dead node takes.
if redis.call('GET', KEYS[6]) ~= ARGV[5] then
  return redis.error_reply('AWAY the node has another connection or counts as dead')
end
local messages, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local found = {}
while messages > 0 and bytes > 0 do
  local position = redis.call('ZPOPMIN', KEYS[3])[1]
  if not position then
    break
  end
  local message = redis.call('HGET', KEYS[4], position)
  if message then
    redis.call('ZADD', KEYS[2], position, position .. ' ' .. ARGV[2])
    found[#found + 1] = position
    found[#found + 1] = redis.call('HGET', KEYS[5], position) or '0'
    found[#found + 1] = message
    messages, bytes = messages - 1, bytes - #message
  end
end
return {redis.call('EXISTS', KEYS[3]), found}
