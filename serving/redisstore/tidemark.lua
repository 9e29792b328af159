#!lua name=tidemark_1
-- The store's side of package lane: what lane.Decide says, inside Redis. Its twin in Go is the meaning; the conformance
-- suite compares the two. Names end in the version of the argument encoding (docs/format/store.md), so that two
-- versions of tidemark can use one server.

-- Offsets are exact as Lua numbers up to here (position.MaxOffset).
local MAX = 9007199254740991

-- Arguments per redis.call: unpack puts them on Lua's stack, which holds some 8,000 values. Even, for pairs.
local CHUNK = 4000

-- count returns s as a number if it is an integer from 0 to MAX in its one canonical form.
local function count(s)
  if not string.find(s, '^%d+$') then return nil end
  if #s > 1 and string.byte(s, 1) == 48 then return nil end
  local n = tonumber(s)
  if n > MAX then return nil end
  return n
end

-- parse reads a partition's mark ("incarnation low next append", low = j when joined) as lane.ParseMark does. The
-- counts come back as they were written, next as a number too; nothing comes back where the mark does not read.
local function parse(s)
  local inc, low, next_, append = string.match(s, '^([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)$')
  if not inc then return nil end
  local n = count(next_)
  if not n or not count(append) then return nil end
  if low ~= 'j' then
    local l = count(low)
    if not l or l > n then return nil end
  end
  return inc, next_, append, n
end

local function damaged(name)
  return redis.error_reply('TMMARK damaged mark ' .. string.gsub(name, '%c', '?'))
end

-- A refusal is data, never nil, which client libraries take for an error: 0 and then all marks, name and value in turn.
local function refused(marks)
  local reply = redis.call('HGETALL', marks)
  table.insert(reply, 1, '0')
  return reply
end

-- check raises a command's error with the key that it met: a call has many, and somebody is to look at one.
local function check(reply, key)
  if type(reply) == 'table' and reply.err then
    error({err = reply.err .. ' at key ' .. string.gsub(key, '%c', '?')})
  end
end

local function chunked(command, key, args, from, n)
  for i = from, from + n - 1, CHUNK do
    check(redis.pcall(command, key, unpack(args, i, math.min(i + CHUNK, from + n) - 1)), key)
  end
end

-- ONE is the shape of a row that sets one field and deletes none, as nearly all rows of a flush are.
local ONE = '\0\1\0\0'

-- ones is change for rows that are all so: taking shapes apart would be a tenth of the time of such a call.
local function ones(keys, args, at)
  local pcall = redis.pcall
  for i = 2, #keys do
    local reply = pcall('HSET', keys[i], args[at], args[at + 1])
    if reply ~= 0 and reply ~= 1 then check(reply, keys[i]) end
    at = at + 2
  end
end

-- change applies the rows of a call. shapes has four bytes for each row: how many fields it sets and how many it
-- deletes, two bytes each, big-endian; from at on, args holds each row's deletes and then its pairs of name and value.
local function change(keys, args, shapes, at)
  if shapes == string.rep(ONE, #keys - 1) then return ones(keys, args, at) end
  for i = 2, #keys do
    local s1, s2, d1, d2 = string.byte(shapes, 4 * i - 7, 4 * i - 4)
    local sets, dels = s1 * 256 + s2, d1 * 256 + d2
    if dels > 0 then
      chunked('HDEL', keys[i], args, at, dels)
      at = at + dels
    end
    if sets == 1 then -- as batch publishes rows
      check(redis.pcall('HSET', keys[i], args[at], args[at + 1]), keys[i])
    elseif sets > 0 then
      chunked('HSET', keys[i], args, at, 2 * sets)
    end
    at = at + 2 * sets
  end
end

local function hash(key)
  local flat, h = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
  return h
end

-- write turns the marks before into the marks after.
local function write(marks, before, after)
  for name in pairs(before) do
    if after[name] == nil then redis.call('HDEL', marks, name) end
  end
  for name, mark in pairs(after) do
    if before[name] ~= mark then redis.call('HSET', marks, name, mark) end
  end
end

-- apply: KEYS are the lane's marks and the rows. ARGV: 1 flags (three digits: any mark, replace, join), 2 name,
-- 3 expect, 4 incarnation, 5 incarnation of the rows, 6 set, 7 number of marks to replace by, 8 number of raises,
-- 9 shapes, then pairs name/mark, pairs partition/cut, and the rows' fields.
local function apply(keys, args)
  local marks, name, inc, rowsof, set = keys[1], args[2], args[4], args[5], args[6]
  local any, replace, join = string.byte(args[1], 1, 3)
  any, replace, join = any == 49, replace == 49, join == 49
  local replaces, raises = tonumber(args[7]), tonumber(args[8])
  local rows = 10 + 2 * replaces + 2 * raises

  if not any and (redis.call('HGET', marks, name) or '') ~= args[3] then return refused(marks) end
  if inc ~= '' then
    local batch = redis.call('HGET', marks, 'batch') or ''
    if string.sub(batch, 1, #inc + 1) ~= inc .. ' ' then return refused(marks) end
  end

  if not replace and raises == 0 and not join then
    change(keys, args, args[9], rows)
    if set ~= '' then redis.call('HSET', marks, name, set) end
    return {'1'}
  end

  -- Everything is decided, and every mark read, before the first write: Redis does not take writes back.
  local before, after = hash(marks), {}
  for n, mark in pairs(before) do
    if not replace or n == name then after[n] = mark end
  end
  if set ~= '' then after[name] = set end
  for i = 10, 8 + 2 * replaces, 2 do after[args[i]] = args[i + 1] end
  for i = 10 + 2 * replaces, rows - 2, 2 do
    local p, cut, old = args[i], args[i + 1], after[args[i]]
    local behind = true
    if old and old ~= '' then
      local ok, _, _, next_ = parse(old)
      if not ok then return damaged(p) end
      behind = next_ < tonumber(cut)
    end
    if behind then after[p] = rowsof .. ' ' .. cut .. ' ' .. cut .. ' 0' end
  end
  if join then
    for n, mark in pairs(after) do
      if n ~= 'batch' then
        local i, next_, append = parse(mark)
        if not i then return damaged(n) end
        after[n] = i .. ' j ' .. next_ .. ' ' .. append
      end
    end
  end

  change(keys, args, args[9], rows)
  write(marks, before, after)
  return {'1'}
end

-- manifest: KEYS[1] is the manifest; ARGV: 1 seq, 2 body. 1 if it was set, 0 if the one there is as new.
local function manifest(keys, args)
  local old = redis.call('HGET', keys[1], 'seq')
  if old then
    local n = count(old)
    if not n then return redis.error_reply('TMMANIFEST damaged manifest') end
    if n >= tonumber(args[1]) then return 0 end
  end
  redis.call('HSET', keys[1], 'seq', args[1], 'body', args[2])
  return 1
end

redis.register_function('tm_apply_1', apply)
redis.register_function('tm_manifest_1', manifest)
