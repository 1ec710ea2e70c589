-- Settles a message of a queue, if it is with the node.
-- KEYS: state, taken, waiting, queued, deliveries, alive
-- ARGV: epoch, position, how often it was delivered ('' if it is consumed), channel of the queue,
--       how many bytes a message takes beside its own, the connection of the node, the queue
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
-- What was sent on an earlier connection can arrive after this node was told that it has the message.
local connection = redis.call('GET', KEYS[6])
if connection and connection ~= '' and connection ~= ARGV[6] then
  return redis.error_reply('AWAY the node has another connection')
end
local member = ARGV[2] .. ' ' .. ARGV[7]
if not redis.call('ZSCORE', KEYS[2], member) then
  return 'OK'
end
if ARGV[3] == '' then
  local size = redis.call('HSTRLEN', KEYS[4], ARGV[2])
  -- First what needs no memory.
  if redis.call('HDEL', KEYS[4], ARGV[2]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'queued', -(size + ARGV[5]))
  end
  redis.call('HDEL', KEYS[5], ARGV[2])
else
  -- First what needs memory.
  redis.call('HSET', KEYS[5], ARGV[2], ARGV[3])
  local was_empty = redis.call('EXISTS', KEYS[3]) == 0
  redis.call('ZADD', KEYS[3], ARGV[2], ARGV[2])
  if was_empty then
    redis.call('PUBLISH', ARGV[4], '')
  end
end
redis.call('ZREM', KEYS[2], member)
return 'OK'
