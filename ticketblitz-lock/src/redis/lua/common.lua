-- Before every script on an event. KEYS: what is taken, the holds, what is due, what has lapsed, what unloading leaves.
-- ARGV: the time in microseconds if it is not to be the server's (tests), for how many ms to keep the event.
--
-- taken   f the highest fence, v the version, x until when the keys are kept (ms), c the channels;
--         s<seat> = state, hold, deadline; r<seat> = the channel it is reserved for;
--         g<section> = capacity, with 1<section> held, 2<section> in payment, 3<section> sold
-- holds   h<hold> = packed record; a<attempt> = hold, ceiling; o<owner> = units; b<booking> = its holds, one
--         after the other; ~ keeps the key
-- due     h<hold>, a<attempt> (to be forgotten), e<hold> (ended, to be forgotten) by moment; ~ keeps the key
-- lapsed  number:record of every hold that lapsed, until the stream has it
--
-- Fences are text of twenty digits: they are compared as such, and a number of Lua's ends at 2^53.
local TAKEN, HOLDS, DUE, LAPSED, LEFT = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LATEST, HOUR, BATCH, MOST, KEEP_LAPSED = 253402207199999999, 3600000000, 64, 512, 65536
local PHASE, UNTIL, FENCE, CEILING, BOOKING, OWNER, WANT, ASKED, ATTEMPT = 1, 2, 3, 4, 5, 6, 7, 8, 9
local COUNTER = { H = '1', P = '2', S = '3' }
local call = redis.call

local clock = call('TIME')
local now = tonumber(ARGV[1]) or clock[1] * 1000000 + clock[2]
local fence, version, kept, channels = unpack(call('HMGET', TAKEN, 'f', 'v', 'x', 'c'))
local loaded = fence and true
version, kept = tonumber(version), tonumber(kept)

local function number(n) return string.format('%.0f', n) end

local function later(micros) return math.min(now + micros, LATEST) end

local function moment(text) return math.min(tonumber(text), LATEST) end

-- Lua has room for some thousand arguments of a call.
local function in_pieces(list, most, run)
  for first = 1, #list, most do run(first, math.min(first + most - 1, #list)) end
end

local function hmget(key, prefix, names)
  local found = {}
  in_pieces(names, 1000, function(first, last)
    local fields = {}
    for at = first, last do fields[#fields + 1] = prefix .. names[at] end
    local values = call('HMGET', key, unpack(fields))
    for at = first, last do found[at] = values[at - first + 1] end
  end)
  return found
end

local function hset(key, fields)
  in_pieces(fields, 2000, function(first, last) call('HSET', key, unpack(fields, first, last)) end)
end

local function hdel(key, fields)
  in_pieces(fields, 2000, function(first, last) call('HDEL', key, unpack(fields, first, last)) end)
end

-- What is wanted is `A1 A2`, or `#units:section` of an area.
local function seats_of(want)
  local seats = {}
  if want:byte() ~= 35 then
    for seat in want:gmatch('%S+') do seats[#seats + 1] = seat end
  end
  return seats
end

local function area_of(want)
  local units, section = want:match('^#(%d+):(.*)$')
  return section, tonumber(units)
end

local function units_of(want)
  local _, units = area_of(want)
  return units or #seats_of(want)
end

local function kept_record(id)
  local packed = call('HGET', HOLDS, 'h' .. id)
  return packed and cmsgpack.unpack(packed)
end

-- How a payment or sale ended is remembered until then, whether or not anything has cleaned up after it.
local function record_of(id)
  local record = kept_record(id)
  if record and (record[PHASE] == 'L' or record[PHASE] == 'E') and record[UNTIL] <= now then return nil end
  return record
end

local function save(id, record) call('HSET', HOLDS, 'h' .. id, cmsgpack.pack(record)) end

local function deadline(record) return (record[PHASE] == 'H' or record[PHASE] == 'P') and record[UNTIL] or nil end

local function is_live(record) return record and deadline(record) and now < record[UNTIL] end

local function has_seats(record) return COUNTER[record[PHASE]] end

local function seat_value(id, record)
  return record[PHASE] .. id .. (deadline(record) and number(record[UNTIL]) or '')
end

local function owner_of_seat(value) return value and value:sub(2, 37) end

local function changed() version = version + 1 end

-- Before anything is answered that was changed. The keys are kept until `latest` at least; setting that anew once in a
-- while costs less than each time.
local function finish(latest)
  local real = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local keep = tonumber(ARGV[2])
  local needed = real
  if latest then needed = real + math.min((latest - now) / 1000 + 3600000, 315360000000) end
  if not kept or kept < needed or kept < real + keep * 0.75 then
    kept = math.ceil(math.max(kept or 0, needed, real + keep))
    for _, key in ipairs({ TAKEN, HOLDS, DUE }) do call('PEXPIREAT', key, number(kept)) end
  end
  call('HSET', TAKEN, 'f', fence, 'v', number(version), 'x', number(kept))
end

local function next_fence()
  local high, low = tonumber(fence:sub(1, 10)), tonumber(fence:sub(11)) + 1
  if low == 10000000000 then high, low = high + 1, 0 end
  local next = string.format('%010.0f%010.0f', high, low)
  if next > '18446744073709551615' then next = '18446744073709551615' end
  local floor = string.format('%020.0f', now)
  fence = next > floor and next or floor
  return fence
end

local function count_units(record, by)
  local section, units = area_of(record[WANT])
  if section then call('HINCRBY', TAKEN, COUNTER[record[PHASE]] .. section, number(by * units)) end
end

local function count_owner(record, by)
  local field = 'o' .. record[OWNER]
  if call('HINCRBY', HOLDS, field, number(by * units_of(record[WANT]))) <= 0 then call('HDEL', HOLDS, field) end
end

-- Takes those of a hold's seats that are free.
local function take_free(id, record)
  local seats, fields = seats_of(record[WANT]), {}
  local found = hmget(TAKEN, 's', seats)
  for at, seat in ipairs(seats) do
    if not found[at] then
      fields[#fields + 1] = 's' .. seat
      fields[#fields + 1] = seat_value(id, record)
    end
  end
  hset(TAKEN, fields)
end

local function own_seats(id, record)
  local seats, own = seats_of(record[WANT]), {}
  local found = hmget(TAKEN, 's', seats)
  for at, seat in ipairs(seats) do
    if owner_of_seat(found[at]) == id then own[#own + 1] = 's' .. seat end
  end
  return own
end

local function set_due(id, record)
  if deadline(record) then
    call('ZADD', DUE, number(record[UNTIL]), 'h' .. id)
  else
    call('ZREM', DUE, 'h' .. id)
  end
end

local function holds_of(booking)
  local ids = {}
  for id in (call('HGET', HOLDS, 'b' .. booking) or ''):gmatch(string.rep('.', 36)) do ids[#ids + 1] = id end
  return ids
end

local function unbook(id, record)
  if record[BOOKING] == '' then return end
  local others = {}
  for _, other in ipairs(holds_of(record[BOOKING])) do
    if other ~= id then others[#others + 1] = other end
  end
  local field = 'b' .. record[BOOKING]
  if #others > 0 then call('HSET', HOLDS, field, table.concat(others)) else call('HDEL', HOLDS, field) end
end

-- Says to which booking a hold belongs. A booking may have several.
local function book(id, record, booking)
  unbook(id, record)
  record[BOOKING] = booking
  call('HSET', HOLDS, 'b' .. booking, (call('HGET', HOLDS, 'b' .. booking) or '') .. id)
end

-- Once a hold is over its attempt is remembered until its ceiling; until then, with the hold.
local function settle_attempt(id, record)
  local attempt = record[ATTEMPT]
  -- After the ceiling somebody may have used it for another hold.
  local value = attempt ~= '' and call('HGET', HOLDS, 'a' .. attempt)
  if value and value:sub(1, 36) == id then call('ZADD', DUE, number(record[CEILING]), 'a' .. attempt) end
end

-- Moves a hold that has its seats to another phase in which it has them.
local function advance(id, record, phase, till)
  count_units(record, -1)
  record[PHASE], record[UNTIL] = phase, till
  count_units(record, 1)
  local fields, value = {}, seat_value(id, record)
  for _, field in ipairs(own_seats(id, record)) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  hset(TAKEN, fields)
  set_due(id, record)
  if phase == 'S' then settle_attempt(id, record) end
  save(id, record)
  changed()
end

-- Frees all that a hold has and forgets it, or remembers it for an hour as what it ended as.
local function finish_hold(id, record, remember)
  if has_seats(record) then
    hdel(TAKEN, own_seats(id, record))
    count_units(record, -1)
    count_owner(record, -1)
  end
  call('ZREM', DUE, 'h' .. id)
  settle_attempt(id, record)
  if remember then
    record[PHASE], record[UNTIL] = remember, later(HOUR)
    save(id, record)
    call('ZADD', DUE, number(record[UNTIL]), 'e' .. id)
  else
    call('HDEL', HOLDS, 'h' .. id)
    unbook(id, record)
  end
  changed()
end

-- Ends a hold that has lapsed, and notes it for the stream: what nobody fetches is bounded, and the gap is marked.
local function lapse(id, record)
  local paying = record[PHASE] == 'P'
  local told = cmsgpack.pack({ id, record[PHASE], record[UNTIL], record[FENCE], record[CEILING], record[OWNER], record[WANT] })
  finish_hold(id, record, paying and 'L')
  if call('RPUSH', LAPSED, number(version) .. ':' .. told) > KEEP_LAPSED then
    call('LPOP', LAPSED)
    call('LPUSH', LAPSED, call('LPOP', LAPSED):match('^%d+:'))
  end
  call('PEXPIRE', LAPSED, ARGV[2])
end

local function forget_attempt(attempt)
  local value = call('HGET', HOLDS, 'a' .. attempt)
  local record = value and record_of(value:sub(1, 36))
  -- Unless it has another hold by now.
  if not is_live(record) then call('HDEL', HOLDS, 'a' .. attempt) end
  call('ZREM', DUE, 'a' .. attempt)
end

local function forget_ended(id)
  local record = kept_record(id)
  -- Unless a snapshot knew that it was sold.
  if record and not has_seats(record) then
    call('HDEL', HOLDS, 'h' .. id)
    unbook(id, record)
  end
  call('ZREM', DUE, 'e' .. id)
end

-- Cleans up at most `most` of what is due, and less where that has many seats: each twenty or so count as much as one more
-- hold. Answers how much it was.
local function reclaim(most)
  local cost = 0
  for _, member in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', number(now), 'LIMIT', 0, most)) do
    local kind, id = member:sub(1, 1), member:sub(2)
    cost = cost + 1
    if kind == 'a' then
      forget_attempt(id)
    elseif kind == 'e' then
      forget_ended(id)
    else
      local record = record_of(id)
      if record and deadline(record) then
        cost = cost + math.floor(#record[WANT] / 100)
        lapse(id, record)
      else
        call('ZREM', DUE, member)
      end
    end
    if cost >= most then break end
  end
  return cost
end

-- For answers that counts decide: whether nothing is due any more. A whole house may be due at once, and a script keeps
-- the server from everybody: what is more than `MOST` is left for the next call. Each hold lapses once, so on average this
-- costs no more than making it.
local function reclaim_all()
  local cost, last = 0, nil
  repeat
    last = reclaim(BATCH)
    cost = cost + last
  until last == 0 or cost >= MOST
  if cost > 0 then finish() end
  return last == 0
end

local function answer(id, record)
  return {
    'HOLD', number(now), id, record[PHASE], number(record[UNTIL]), record[FENCE], number(record[CEILING]), record[OWNER], record[WANT],
  }
end

-- The live hold of this owner, or the refusal. Somebody else's is not told from none.
local function owned(id, owner)
  local record = record_of(id)
  if is_live(record) and record[OWNER] == owner then return record end
  return nil, { 'NOTHELD' }
end
