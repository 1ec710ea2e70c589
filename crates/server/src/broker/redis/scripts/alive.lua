-- A node is alive, and looks whether its sequence is still the one and whether others are dead.
-- KEYS: state, alive, published, nodes
-- ARGV: epoch, connection of the node, node, how long the node can be away (ms), how long its last message is
--       known (ms), how many messages are kept, how long (ms), how many topics are known, how many bytes an
--       answer has, how many members of dead nodes can leave at once, how many messages that they have can be
--       returned at once
-- Returns whether the others could take this node for dead, and whether more has to leave or to be returned.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local connection = redis.call('GET', KEYS[2])
if connection and connection ~= '' and connection ~= ARGV[2] then
  return redis.error_reply('AWAY the node has another connection')
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
redis.call('SADD', KEYS[4], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
watch(KEYS[1], ARGV[4])

local limits = {ARGV[6], ARGV[7], ARGV[8], ARGV[9]}
local room, returns = tonumber(ARGV[10]), tonumber(ARGV[11])

-- Has members of a dead node leave, as far as there is room.
local function leave_all(node)
  local entered, cursor = KEYS[1] .. ':' .. ARGV[1] .. ':entered:' .. node, '0'
  repeat
    local found
    cursor, found = unpack(redis.call('HSCAN', entered, cursor, 'COUNT', 100))
    for index = 1, #found, 2 do
      if room == 0 then
        return
      end
      leave(KEYS[1], ARGV[1], node, found[index], limits)
      room = room - 1
    end
  until cursor == '0'
end

for _, node in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  if redis.call('EXISTS', KEYS[1] .. ':alive:' .. node) == 0 then
    returns = return_some(KEYS[1], ARGV[1], node, returns)
    leave_all(node)
    local taken, entered = KEYS[1] .. ':taken:' .. node, KEYS[1] .. ':' .. ARGV[1] .. ':entered:' .. node
    if redis.call('EXISTS', taken, entered) == 0 then
      redis.call('SREM', KEYS[4], node)
    end
  end
end
return {connection and 0 or 1, (room == 0 or returns == 0) and 1 or 0}
