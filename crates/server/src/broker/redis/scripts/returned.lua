-- Returns what is with a node to its queues, as delivered once more. `state` is the key of the state.
local function return_all(state, epoch, node)
  local taken = redis.call('HGETALL', state .. ':taken:' .. node)
  for index = 1, #taken, 2 do
    local position, queue = taken[index], taken[index + 1]
    local waiting = state .. ':waiting:' .. queue
    redis.call('HINCRBY', state .. ':deliveries:' .. queue, position, 1)
    local was_empty = redis.call('EXISTS', waiting) == 0
    redis.call('ZADD', waiting, position, position)
    if was_empty then
      redis.call('PUBLISH', state .. ':' .. epoch .. ':' .. queue, '')
    end
  end
  redis.call('UNLINK', state .. ':taken:' .. node)
end

-- If no node was here for so long, Redis itself was away: the nodes can still come back.
local function watch(state, absence)
  if not redis.call('SET', state .. ':watched', '1', 'PX', absence, 'GET') then
    for _, node in ipairs(redis.call('SMEMBERS', state .. ':nodes')) do
      redis.call('SET', state .. ':alive:' .. node, '', 'PX', absence, 'NX')
    end
  end
end

