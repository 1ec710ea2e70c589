-- Publishes that a member has come or gone. Returns the position.
local function publish(state, epoch, presence, message, limits)
  local position = keep(state, epoch, presence, message, limits)
  redis.call('PUBLISH', state .. ':' .. epoch .. ':' .. presence, position .. ' ' .. message)
  return position
end

-- Takes a member away from a node. `entered` is the presence and the member, as the node has entered them.
-- Returns the position of the message, if there is one.
local function leave(state, epoch, node, entered, limits)
  local of_epoch = state .. ':' .. epoch .. ':'
  local message = redis.call('HGET', of_epoch .. 'entered:' .. node, entered)
  if not message then
    return false
  end
  local presence, member = string.match(entered, '^([^\n]*)\n(.*)$')
  local members = of_epoch .. 'members:' .. presence
  local others = {}
  for other in string.gmatch(redis.call('HGET', members, member) or '', '%S+') do
    if other ~= node then
      others[#others + 1] = other
    end
  end
  -- First what needs memory.
  local position = false
  if #others > 0 then
    redis.call('HSET', members, member, table.concat(others, ' '))
  else
    position = publish(state, epoch, presence, message, limits)
    redis.call('HDEL', members, member)
    if redis.call('EXISTS', members) == 0 then
      redis.call('SREM', of_epoch .. 'presences', presence)
    end
  end
  redis.call('HDEL', of_epoch .. 'entered:' .. node, entered)
  return position
end

