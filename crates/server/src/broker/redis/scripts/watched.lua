-- If no node was here for so long, Redis itself was away: the nodes can still come back.
local function watch(state, absence)
  if not redis.call('SET', state .. ':watched', '1', 'PX', absence, 'GET') then
    for _, node in ipairs(redis.call('SMEMBERS', state .. ':nodes')) do
      redis.call('SET', state .. ':alive:' .. node, '', 'PX', absence, 'NX')
    end
  end
end

