-- A node has connected. Says which sequence there is, or begins another one if the last is lost.
-- KEYS: state, alive, nodes
-- ARGV: a new epoch, the server's run, whether it is durable, the epoch that the node knows, the last
--       position that it knows, the version of what is stored, how long the node can be away (ms), the node,
--       the connection
local epoch, run, head, version =
  unpack(redis.call('HMGET', KEYS[1], 'epoch', 'run', 'head', 'version'))
if epoch and version ~= ARGV[6] then
  return redis.error_reply('VERSION ' .. tostring(version))
end
-- It needs memory, as publishing does: a server without any is not one to come up with.
redis.call('SET', KEYS[2], ARGV[9], 'PX', ARGV[7])
local dead = {}
local is_lost = not epoch
  or (run ~= ARGV[2] and ARGV[3] ~= '1')
  or (epoch == ARGV[4] and tonumber(head) < tonumber(ARGV[5]))
if is_lost then
  local nodes = redis.call('SMEMBERS', KEYS[3])
  if epoch then
    local of_epoch = KEYS[1] .. ':' .. epoch .. ':'
    -- Nobody is anywhere in the new one.
    for _, presence in ipairs(redis.call('SMEMBERS', of_epoch .. 'presences')) do
      redis.call('UNLINK', of_epoch .. 'members:' .. presence)
    end
    for _, node in ipairs(nodes) do
      redis.call('UNLINK', of_epoch .. 'entered:' .. node)
    end
    redis.call('UNLINK', of_epoch .. 'topics', of_epoch .. 'presences', of_epoch .. 'sizes', of_epoch .. 'marks')
  end
  -- Positions go on, so that those of messages that are still in queues are not given again.
  epoch, head = ARGV[1], head or '0'
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', head, 'forgotten', '0', 'version', ARGV[6])
  redis.call('UNLINK', KEYS[3])
  -- What was with a node is with a dead one now, whose messages are returned as those of others.
  for _, node in ipairs(nodes) do
    local taken, other = KEYS[1] .. ':taken:', node .. ':' .. epoch
    if redis.call('EXISTS', taken .. node) == 1 then
      redis.call('RENAME', taken .. node, taken .. other)
      dead[#dead + 1] = other
    end
  end
end
if run ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'run', ARGV[2])
end
redis.call('SADD', KEYS[3], ARGV[8])
watch(KEYS[1], ARGV[7])
-- These can't come back.
for _, node in ipairs(dead) do
  redis.call('SADD', KEYS[3], node)
end
return {epoch, head}
