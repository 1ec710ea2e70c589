-- Returns messages that are with a node to their queues, as delivered once more: the first ones, as far as there
-- is room. `state` is the key of the state. Returns how much room is left.
local function return_some(state, epoch, node, room)
  local taken = state .. ':taken:' .. node
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', taken, '-inf', '+inf', 'LIMIT', 0, room)) do
    local position, queue = string.match(member, '^(%d+) (.*)$')
    local waiting = state .. ':waiting:' .. queue
    -- First what needs memory.
    redis.call('HINCRBY', state .. ':deliveries:' .. queue, position, 1)
    local was_empty = redis.call('EXISTS', waiting) == 0
    redis.call('ZADD', waiting, position, position)
    if was_empty then
      redis.call('PUBLISH', state .. ':' .. epoch .. ':' .. queue, '')
    end
    redis.call('ZREM', taken, member)
    room = room - 1
  end
  return room
end

