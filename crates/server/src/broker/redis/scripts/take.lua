-- Gives messages of a queue to a node.
-- KEYS: state, taken, waiting, queued, deliveries
-- ARGV: epoch, queue, how many messages, how many bytes
-- Returns whether there are more, and of each message its position, how often it was delivered, and itself.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
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
    redis.call('HSET', KEYS[2], position, ARGV[2])
    found[#found + 1] = position
    found[#found + 1] = redis.call('HGET', KEYS[5], position) or '0'
    found[#found + 1] = message
    messages, bytes = messages - 1, bytes - #message
  end
end
return {redis.call('EXISTS', KEYS[3]), found}
