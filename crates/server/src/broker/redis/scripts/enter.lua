-- A member is in a topic at a node.
-- KEYS: state, alive, nodes, members, entered, presences
-- ARGV: epoch, connection of the node, node, presence, member, how many messages are kept, how long (ms), how
--       many topics are known, how many bytes an answer has, the messages that the member has come and has gone
-- Returns the position of the message that the member has come, if it was nowhere before.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local connection = redis.call('GET', KEYS[2])
if connection and connection ~= '' and connection ~= ARGV[2] then
  return redis.error_reply('AWAY the node has another connection')
end
local node, presence, member = ARGV[3], ARGV[4], ARGV[5]
local entered = presence .. '\n' .. member
if redis.call('HEXISTS', KEYS[5], entered) == 1 then
  return false
end
-- It can count as dead, but what it enters is to leave with it.
redis.call('SADD', KEYS[3], node)
redis.call('HSET', KEYS[5], entered, ARGV[11])
local others = redis.call('HGET', KEYS[4], member)
redis.call('HSET', KEYS[4], member, others and others .. ' ' .. node or node)
if others then
  return false
end
redis.call('SADD', KEYS[6], presence)
return publish(KEYS[1], ARGV[1], presence, ARGV[10], {ARGV[6], ARGV[7], ARGV[8], ARGV[9]})
