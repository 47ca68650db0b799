-- Tables and operations of the PostgreSQL backend, run by setup() under an advisory lock; can be run again at any time.
-- The name ticketblitz_lock is replaced by that of the schema chosen.
--
-- Moments are microseconds since 1970, of the server's clock_timestamp(). `_now` is null but in tests, whose time it is.
--
-- Locks, always in this order, so that nobody waits for somebody who waits for them:
--   1. the event's advisory lock: shared by most operations; alone (exclusive) for load, unload and the holds that have
--      to clean up first, replace another or are large;
--   2. who holds something new and is not alone: advisory locks on its seats, areas, attempt and (with a limit) owner, in
--      the order of their keys, at most 32;
--   3. rows of holds; 4. rows of areas, by section; 5. the row of the stream.
-- So holds of different seats of one event neither wait for each other nor for each other's flush of the log. A seat goes
-- from one hold to another in this way: only somebody who is alone ends a hold that has lapsed to take what it has; all
-- others take it for taken. Before any lock there is a plain read: who loses by it writes nothing and locks nothing.

create schema if not exists ticketblitz_lock;

create table if not exists ticketblitz_lock.events (
    id uuid primary key,
    -- Every new hold has a higher fence. The numbers of a snapshot may be any of 64 bits, unsigned.
    fence_floor numeric(20) not null,
    -- Rises with every load.
    loaded bigint not null
);

create table if not exists ticketblitz_lock.areas (
    event uuid not null,
    section text collate "C" not null,
    capacity bigint not null,
    -- Units of all holds that are held, in payment or sold; of those that have lapsed too until they are ended.
    taken bigint not null,
    -- The highest that was given out here.
    fence numeric(20) not null,
    primary key (event, section)
);

-- A row for every seat that was ever held or is reserved; it keeps the seat's last fence when the seat is free.
create table if not exists ticketblitz_lock.seats (
    event uuid not null,
    seat text collate "C" not null,
    hold uuid,
    fence numeric(20) not null,
    channel text collate "C",
    primary key (event, seat)
) with (fillfactor = 70);

create table if not exists ticketblitz_lock.holds (
    event uuid not null,
    id uuid not null,
    owner text collate "C" not null,
    -- Seats, or units of a section.
    seats text[] not null,
    section text collate "C",
    quantity bigint not null,
    fence numeric(20) not null,
    -- held, paying, sold; lapsed (in payment), ended (aborted or reopened): remembered for a while;
    -- gone (released, or lapsed while held): nothing but its attempt is remembered.
    phase text collate "C" not null,
    -- When it lapses; a sale never does.
    until bigint not null,
    ceiling bigint not null,
    booking uuid,
    attempt uuid,
    -- All that the request would have done with, if there was more than one.
    candidates text collate "C",
    attempt_until bigint,
    remember_until bigint,
    -- When the row can go; null while it is held, in payment or sold.
    forget_at bigint,
    primary key (event, id)
) with (fillfactor = 70);

create unique index if not exists holds_attempt on ticketblitz_lock.holds (event, attempt) where attempt is not null;
create index if not exists holds_fence on ticketblitz_lock.holds (event, fence);
create index if not exists holds_booking on ticketblitz_lock.holds (event, booking) where booking is not null;
create index if not exists holds_until on ticketblitz_lock.holds (event, until) where phase in ('held', 'paying');
create index if not exists holds_owner on ticketblitz_lock.holds (event, owner) where phase in ('held', 'paying', 'sold');
create index if not exists holds_section on ticketblitz_lock.holds (event, section, until)
    where section is not null and phase in ('held', 'paying', 'sold');
create index if not exists holds_forget on ticketblitz_lock.holds (event, forget_at) where forget_at is not null;

-- The holds that lapsed, as they were. They get their numbers when they are told, under the stream's lock: so the numbers
-- are in the order of commits, and no cursor passes one that is committed later.
create table if not exists ticketblitz_lock.expiries (
    id bigint generated always as identity primary key,
    n bigint,
    event uuid not null,
    hold uuid not null,
    owner text not null,
    seats text[] not null,
    section text,
    quantity bigint not null,
    fence numeric(20) not null,
    paying boolean not null,
    until bigint not null,
    ceiling bigint not null,
    noticed bigint not null
);
create unique index if not exists expiries_n on ticketblitz_lock.expiries (n) where n is not null;
create index if not exists expiries_untold on ticketblitz_lock.expiries (id) where n is null;

-- The numbers that are remembered, first inclusive and next exclusive. They start at the time: a cursor of a former life
-- is seen to be old.
create table if not exists ticketblitz_lock.stream (
    single boolean primary key default true check (single),
    first bigint not null,
    next bigint not null
);
insert into ticketblitz_lock.stream (first, next)
    select moment, moment from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint) t (moment)
    on conflict do nothing;

do $$
begin
    if to_regtype('ticketblitz_lock.answer') is null then
        create type ticketblitz_lock.answer as (
            code text,
            hold uuid, owner text, seats text[], section text, quantity bigint, fence text, paying boolean,
            until bigint, ceiling bigint,
            -- The store's time.
            moment bigint,
            -- What stands in the way: the owner's units; seats, why, and when they may be free; sections.
            taken bigint,
            blocked text[], states text[], untils bigint[],
            sections text[], requested bigint[], available bigint[],
            -- Of an answer `free`: the candidate, whether something that has lapsed has to be ended for it, and whether an
            -- old hold has the attempt.
            choice int, lapsed boolean, stale boolean
        );
    end if;
end $$;

create or replace function ticketblitz_lock.clock(_now bigint) returns bigint language sql volatile as $$
    select coalesce(_now, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
$$;

-- No time comes after the last that has a name.
create or replace function ticketblitz_lock.later(_moment bigint, _by bigint) returns bigint language sql immutable as $$
    select least(_moment + _by, 253402207199999999)
$$;

create or replace function ticketblitz_lock.key(_event uuid) returns bigint language sql immutable as $$
    select hashtextextended(_event::text, 0)
$$;

create or replace function ticketblitz_lock.phase_at(_hold ticketblitz_lock.holds, _moment bigint) returns text
language sql immutable as $$
    select case
        when _hold.phase = 'sold' then 'sold'
        when _hold.phase in ('held', 'paying') and _hold.until > _moment then _hold.phase
        when _hold.phase = 'paying' then 'lapsed'
        when _hold.phase in ('lapsed', 'ended') and _hold.remember_until > _moment then _hold.phase
        else 'gone'
    end
$$;

create or replace function ticketblitz_lock.refusal(_code text, _moment bigint) returns ticketblitz_lock.answer
language plpgsql immutable as $$
declare
    a ticketblitz_lock.answer;
begin
    a.code := _code;
    a.moment := _moment;
    return a;
end $$;

create or replace function ticketblitz_lock.shown(_hold ticketblitz_lock.holds, _moment bigint)
returns ticketblitz_lock.answer language plpgsql immutable as $$
declare
    a ticketblitz_lock.answer;
begin
    a.code := 'ok';
    a.hold := _hold.id;
    a.owner := _hold.owner;
    a.seats := _hold.seats;
    a.section := _hold.section;
    a.quantity := _hold.quantity;
    a.fence := _hold.fence::text;
    a.paying := _hold.phase = 'paying';
    a.until := _hold.until;
    a.ceiling := _hold.ceiling;
    a.moment := _moment;
    return a;
end $$;

-- A hold for an operation on it. Without an event if that is not loaded, without an id if there is no such hold.
create or replace function ticketblitz_lock.find(_event uuid, _hold uuid, _locked boolean)
returns ticketblitz_lock.holds language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
begin
    if _locked then
        perform pg_advisory_xact_lock_shared(ticketblitz_lock.key(_event));
    end if;
    perform from ticketblitz_lock.events where id = _event;
    if not found then
        return h;
    end if;
    if _locked then
        select * into h from ticketblitz_lock.holds where event = _event and id = _hold for update;
    else
        select * into h from ticketblitz_lock.holds where event = _event and id = _hold;
    end if;
    h.event := _event;
    return h;
end $$;

-- Frees what a hold has and makes it `ended` or `gone`. The caller has its row.
create or replace function ticketblitz_lock.finish(_hold ticketblitz_lock.holds, _phase text, _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := case _phase when 'ended' then ticketblitz_lock.later(_moment, 3600000000) end;
begin
    update ticketblitz_lock.holds
        set phase = _phase, remember_until = remember, forget_at = greatest(remember, attempt_until, 0)
        where event = _hold.event and id = _hold.id;
    if _hold.section is null then
        update ticketblitz_lock.seats set hold = null
            where event = _hold.event and seat = any (_hold.seats) and hold = _hold.id;
    else
        update ticketblitz_lock.areas set taken = taken - _hold.quantity
            where event = _hold.event and section = _hold.section;
    end if;
end $$;

-- Ends those of these holds that have lapsed, and leaves them for the stream to tell.
create or replace function ticketblitz_lock.lapse(_event uuid, _holds uuid[], _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := ticketblitz_lock.later(_moment, 3600000000);
    ended uuid[];
    area record;
begin
    with lapsed as (
        update ticketblitz_lock.holds
        set phase = case phase when 'paying' then 'lapsed' else 'gone' end,
            remember_until = case phase when 'paying' then remember end,
            forget_at = greatest(case phase when 'paying' then remember end, attempt_until, 0)
        where event = _event and id = any (_holds) and phase in ('held', 'paying') and until <= _moment
        returning *
    ), noticed as (
        insert into ticketblitz_lock.expiries
            (event, hold, owner, seats, section, quantity, fence, paying, until, ceiling, noticed)
        select event, id, owner, seats, section, quantity, fence, phase = 'lapsed', until, ceiling, _moment
        from lapsed order by until, id
    )
    select array_agg(id) into ended from lapsed;
    if ended is null then
        return;
    end if;
    update ticketblitz_lock.seats s set hold = null
        from (select h.id, unnest(h.seats) as seat from ticketblitz_lock.holds h
              where h.event = _event and h.id = any (ended)) f
        where s.event = _event and s.seat = f.seat and s.hold = f.id;
    for area in select h.section, sum(h.quantity) as units from ticketblitz_lock.holds h
        where h.event = _event and h.id = any (ended) and h.section is not null group by h.section order by h.section
    loop
        update ticketblitz_lock.areas set taken = taken - area.units where event = _event and section = area.section;
    end loop;
end $$;

-- Gives those that are untold their numbers, a batch at a time, and forgets all but the last 65,536.
create or replace function ticketblitz_lock.tell() returns void language plpgsql volatile as $$
declare
    s ticketblitz_lock.stream;
    told bigint;
begin
    select * into s from ticketblitz_lock.stream for update;
    update ticketblitz_lock.expiries e set n = s.next + t.place - 1
        from (select u.id, row_number() over (order by u.id) as place from
              (select id from ticketblitz_lock.expiries where n is null order by id limit 1024) u) t
        where e.id = t.id;
    get diagnostics told = row_count;
    s.next := s.next + told;
    if s.next - s.first > 65536 then
        s.first := s.next - 65536;
        delete from ticketblitz_lock.expiries where n < s.first;
    end if;
    update ticketblitz_lock.stream set first = s.first, next = s.next where told > 0;
end $$;

-- Forgets a few of those that need no longer be remembered: a hold that is made forgets more than one. What lapsed is
-- told some time, even if nobody asks, so that it can be forgotten.
create or replace function ticketblitz_lock.tidy(_event uuid, _moment bigint) returns void language plpgsql volatile as $$
begin
    delete from ticketblitz_lock.holds where event = _event and id = any (array(
        select id from ticketblitz_lock.holds where event = _event and forget_at <= _moment
        order by forget_at limit 4 for update skip locked));
    perform from (select noticed from ticketblitz_lock.expiries where n is null order by id limit 1) oldest
        where noticed < _moment - 60000000;
    if found then
        perform from ticketblitz_lock.stream for update skip locked;
        if found then
            perform ticketblitz_lock.tell();
        end if;
    end if;
end $$;

-- What a request for a hold gets by what is committed now: `free` with the candidate, or its refusal, or the hold that its
-- attempt made before. With `_strict`, what has lapsed and is not ended counts as taken. Stable: all that it reads is of
-- one moment.
create or replace function ticketblitz_lock.judge(
    _event uuid, _attempt uuid, _owner text, _limit bigint, _seats text[], _ends int[], _sections text[],
    _quantities bigint[], _candidates text, _channels text[], _replacing uuid, _strict boolean, _moment bigint
) returns ticketblitz_lock.answer language plpgsql stable as $$
declare
    a ticketblitz_lock.answer;
    h ticketblitz_lock.holds;
    old ticketblitz_lock.holds;
    taken_by uuid;
    channel text;
    state text;
    lapses bigint;
    units bigint;
    counted bigint := 0;
    really bigint := 0;
    room bigint;
    more bigint;
    since int := 0;
    over boolean := false;
    clear boolean;
begin
    a.moment := _moment;
    perform from ticketblitz_lock.events where id = _event;
    if not found then
        a.code := 'not_loaded';
        return a;
    end if;

    select * into h from ticketblitz_lock.holds where event = _event and attempt = _attempt;
    if found then
        if h.phase in ('held', 'paying') and h.until > _moment then
            if h.owner <> _owner or h.candidates is distinct from _candidates or _candidates is null and
                (h.section is distinct from _sections[1] or h.seats <> _seats or
                 h.section is not null and h.quantity <> _quantities[1])
            then
                a.code := 'attempt_reused';
                return a;
            end if;
            return ticketblitz_lock.shown(h, _moment);
        elsif h.attempt_until > _moment then
            a.code := 'attempt_lapsed';
            return a;
        end if;
        a.stale := true;
    end if;

    if _replacing is not null then
        select * into old from ticketblitz_lock.holds where event = _event and id = _replacing;
        if not found or old.phase not in ('held', 'paying') or old.until <= _moment or old.owner <> _owner then
            a.code := 'not_held';
            return a;
        elsif old.phase = 'paying' then
            a.code := 'in_payment';
            return a;
        end if;
    end if;

    if _limit is not null then
        select coalesce(sum(quantity), 0), coalesce(sum(quantity) filter (where until > _moment), 0) into counted, really
            from ticketblitz_lock.holds
            where event = _event and owner = _owner and phase in ('held', 'paying', 'sold')
                and id is distinct from _replacing;
        if _strict then
            really := counted;
        end if;
    end if;

    for i in 1 .. cardinality(_ends) loop
        units := case when _sections[i] is null then _ends[i] - since else _quantities[i] end;
        if really + units > _limit then
            over := true;
            since := _ends[i];
            continue;
        end if;
        clear := true;
        a.lapsed := coalesce(counted + units > _limit, false);
        if _sections[i] is not null then
            select capacity - taken into room from ticketblitz_lock.areas where event = _event and section = _sections[i];
            if not found then
                a.code := 'no_area';
                a.section := _sections[i];
                return a;
            end if;
            if old.section = _sections[i] then
                room := room + old.quantity;
            end if;
            if room < units and not _strict then
                -- Every hold has a unit at least, so more rows than units are missing need not be looked at.
                select coalesce(sum(q.quantity), 0) into more from (
                    select quantity from ticketblitz_lock.holds
                    where event = _event and section = _sections[i] and phase in ('held', 'paying') and until <= _moment
                    order by until limit units - room
                ) q;
                a.lapsed := true;
                room := room + more;
            end if;
            if room < units then
                clear := false;
                a.sections := a.sections || _sections[i];
                a.requested := a.requested || units;
                a.available := a.available || greatest(room, 0);
            end if;
        else
            for place in since + 1 .. _ends[i] loop
                -- A look-up each costs less than a plan that joins arrays, and cannot be planned badly.
                select t.hold, t.channel, by.phase, by.until into taken_by, channel, state, lapses
                    from ticketblitz_lock.seats t
                    left join ticketblitz_lock.holds by on by.event = t.event and by.id = t.hold
                    where t.event = _event and t.seat = _seats[place];
                continue when not found;
                if channel is not null and not channel = any (_channels) then
                    state := 'reserved';
                elsif taken_by is null or taken_by = _replacing then
                    continue;
                elsif lapses <= _moment and not _strict then
                    a.lapsed := true;
                    continue;
                end if;
                clear := false;
                a.blocked := a.blocked || _seats[place];
                a.states := a.states || state;
                a.untils := a.untils || lapses;
            end loop;
        end if;
        if clear then
            a.code := 'free';
            a.choice := i;
            return a;
        end if;
        since := _ends[i];
    end loop;
    a.code := case when over and a.blocked is null and a.sections is null then 'limit' else 'unavailable' end;
    a.taken := really;
    return a;
end $$;

create or replace function ticketblitz_lock.hold(
    _event uuid, _id uuid, _attempt uuid, _owner text, _ttl bigint, _ceiling bigint, _limit bigint, _seats text[],
    _ends int[], _sections text[], _quantities bigint[], _candidates text, _channels text[], _replacing uuid, _now bigint
) returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    a ticketblitz_lock.answer;
    h ticketblitz_lock.holds;
    old ticketblitz_lock.holds;
    key bigint := ticketblitz_lock.key(_event);
    moment bigint := ticketblitz_lock.clock(_now);
    alone boolean;
    written bigint;
begin
    -- Who waited for a lock has to see what was written meanwhile.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the seat locks need the isolation level read committed';
    end if;
    a := ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats, _ends, _sections, _quantities, _candidates,
        _channels, _replacing, false, moment);
    if a.code <> 'free' then
        return a;
    end if;

    alone := a.lapsed or _replacing is not null or cardinality(_seats) + cardinality(_ends) > 30;
    if not alone then
        -- A block of its own gives its locks back if it ends by its exception.
        begin
            perform pg_advisory_xact_lock_shared(key);
            perform pg_advisory_xact_lock(k) from (
                select distinct k from (
                    select hashtextextended('seat ' || seat, key) from unnest(_seats) seat
                    union all select hashtextextended('area ' || section, key) from unnest(_sections) section
                    union all select hashtextextended('owner ' || _owner, key) where _limit is not null
                    union all select hashtextextended('attempt ' || _attempt, key)
                ) keys (k) where k is not null order by k
            ) sorted;
            -- What came since the first look and has lapsed since was there meanwhile: we may say that we met it.
            a := ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats, _ends, _sections, _quantities,
                _candidates, _channels, _replacing, true, moment);
            -- But not what had lapsed by the first look, of which others had only ended as much as they needed.
            if a.code in ('unavailable', 'limit') and (ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats,
                _ends, _sections, _quantities, _candidates, _channels, _replacing, false, moment)).code = 'free'
            then
                raise sqlstate 'TB001';
            end if;
        exception when sqlstate 'TB001' then
            alone := true;
        end;
    end if;
    if alone then
        perform pg_advisory_xact_lock(key);
        moment := ticketblitz_lock.clock(_now);
        a := ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats, _ends, _sections, _quantities, _candidates,
            _channels, _replacing, false, moment);
    end if;
    if a.code <> 'free' then
        return a;
    end if;
    if not alone then
        moment := ticketblitz_lock.clock(_now);
    end if;

    h.event := _event;
    h.id := _id;
    h.owner := _owner;
    h.section := _sections[a.choice];
    h.seats := case when h.section is null then _seats[coalesce(_ends[a.choice - 1], 0) + 1 : _ends[a.choice]] else '{}' end;
    h.quantity := coalesce(_quantities[a.choice], cardinality(h.seats));
    h.phase := 'held';
    h.ceiling := ticketblitz_lock.later(moment, _ceiling);
    h.attempt := _attempt;
    h.candidates := _candidates;
    if alone then
        perform ticketblitz_lock.make_room(h, moment);
    end if;
    if _replacing is not null then
        select * into old from ticketblitz_lock.holds where event = _event and id = _replacing;
        perform ticketblitz_lock.finish(old, 'gone', moment);
        h.ceiling := least(h.ceiling, old.ceiling);
    end if;
    h.until := least(ticketblitz_lock.later(moment, _ttl), h.ceiling);
    h.attempt_until := h.ceiling;
    if a.stale then
        update ticketblitz_lock.holds set attempt = null where event = _event and attempt = _attempt;
    end if;

    -- Higher than those of the same seats, which the locks keep in order, and of all holds of the event that were made
    -- before this one began.
    select greatest(moment, (select fence_floor + 1 from ticketblitz_lock.events where id = _event),
        (select fence + 1 from ticketblitz_lock.holds where event = _event order by fence desc limit 1),
        (select fence + 1 from ticketblitz_lock.areas where event = _event and section = h.section),
        (select max(s.fence) + 1 from unnest(h.seats) w (seat) cross join lateral (
            select fence from ticketblitz_lock.seats where event = _event and seat = w.seat offset 0) s))
        into h.fence;
    h.fence := least(h.fence, 18446744073709551615);
    insert into ticketblitz_lock.holds values (h.*);
    if h.section is null then
        insert into ticketblitz_lock.seats as s (event, seat, hold, fence)
            select _event, seat, _id, h.fence from unnest(h.seats) seat
            on conflict (event, seat) do update set hold = excluded.hold, fence = excluded.fence where s.hold is null;
    else
        update ticketblitz_lock.areas set taken = taken + h.quantity, fence = h.fence
            where event = _event and section = h.section;
    end if;
    get diagnostics written = row_count;
    -- Cannot be, the locks see to it; if it were, nothing would be written.
    if written <> (case when h.section is null then h.quantity else 1 end) then
        raise exception 'a seat was taken meanwhile';
    end if;
    perform ticketblitz_lock.tidy(_event, moment);
    return ticketblitz_lock.shown(h, moment);
end $$;

-- Ends what has lapsed and stands in the way of a new hold, and a batch of what else has. The caller is alone.
create or replace function ticketblitz_lock.make_room(_hold ticketblitz_lock.holds, _moment bigint)
returns void language plpgsql volatile as $$
declare
    lapsed uuid[];
begin
    lapsed := array(
        select hold from ticketblitz_lock.seats
            where event = _hold.event and seat = any (_hold.seats) and hold is not null
        union (select id from ticketblitz_lock.holds where event = _hold.event and phase in ('held', 'paying')
            and until <= _moment order by until limit 64)
        union (select id from ticketblitz_lock.holds where event = _hold.event and section = _hold.section
            and phase in ('held', 'paying') and until <= _moment order by until limit 64 + _hold.quantity)
        union (select id from ticketblitz_lock.holds where event = _hold.event and owner = _hold.owner
            and phase in ('held', 'paying', 'sold') and until <= _moment limit 64));
    perform ticketblitz_lock.lapse(_hold.event, lapsed, _moment);
end $$;

create or replace function ticketblitz_lock.get(_event uuid, _hold uuid, _now bigint)
returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds := ticketblitz_lock.find(_event, _hold, false);
    moment bigint := ticketblitz_lock.clock(_now);
begin
    if h.event is null then
        return ticketblitz_lock.refusal('not_loaded', moment);
    elsif ticketblitz_lock.phase_at(h, moment) not in ('held', 'paying') then
        return ticketblitz_lock.refusal('not_held', moment);
    end if;
    return ticketblitz_lock.shown(h, moment);
end $$;

-- The operations on one hold look twice: by a plain read, and once they have its row.

create or replace function ticketblitz_lock.extend(_event uuid, _hold uuid, _owner text, _ttl bigint, _now bigint)
returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    a ticketblitz_lock.answer;
    moment bigint;
    now_in text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        h := ticketblitz_lock.find(_event, _hold, locked);
        moment := ticketblitz_lock.clock(_now);
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in not in ('held', 'paying') or h.owner <> _owner then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif now_in = 'paying' then
            return ticketblitz_lock.refusal('in_payment', moment);
        elsif ticketblitz_lock.later(moment, _ttl) > h.ceiling then
            a := ticketblitz_lock.refusal('ceiling', moment);
            a.ceiling := h.ceiling;
            return a;
        end if;
    end loop;
    h.until := ticketblitz_lock.later(moment, _ttl);
    update ticketblitz_lock.holds set until = h.until where event = _event and id = _hold;
    return ticketblitz_lock.shown(h, moment);
end $$;

create or replace function ticketblitz_lock.release(_event uuid, _hold uuid, _owner text, _now bigint)
returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    now_in text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        h := ticketblitz_lock.find(_event, _hold, locked);
        moment := ticketblitz_lock.clock(_now);
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in not in ('held', 'paying') or h.owner <> _owner then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif now_in = 'paying' then
            return ticketblitz_lock.refusal('in_payment', moment);
        end if;
    end loop;
    perform ticketblitz_lock.finish(h, 'gone', moment);
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.begin_commit(
    _event uuid, _hold uuid, _owner text, _grace bigint, _now bigint
) returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    now_in text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        h := ticketblitz_lock.find(_event, _hold, locked);
        moment := ticketblitz_lock.clock(_now);
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in not in ('held', 'paying') or h.owner <> _owner then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif now_in = 'paying' then
            return ticketblitz_lock.shown(h, moment);
        end if;
    end loop;
    h.phase := 'paying';
    h.until := ticketblitz_lock.later(moment, _grace);
    update ticketblitz_lock.holds set phase = h.phase, until = h.until where event = _event and id = _hold;
    return ticketblitz_lock.shown(h, moment);
end $$;

create or replace function ticketblitz_lock.abort_commit(_event uuid, _hold uuid, _now bigint)
returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    now_in text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        h := ticketblitz_lock.find(_event, _hold, locked);
        moment := ticketblitz_lock.clock(_now);
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in = 'sold' then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif now_in not in ('held', 'paying') then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
    end loop;
    perform ticketblitz_lock.finish(h, 'ended', moment);
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.sold(
    _event uuid, _hold uuid, _fence numeric, _booking uuid, _now bigint
) returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    a ticketblitz_lock.answer;
    moment bigint;
    now_in text;
    seen numeric;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        h := ticketblitz_lock.find(_event, _hold, locked);
        moment := ticketblitz_lock.clock(_now);
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in = 'gone' then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif _fence > h.fence then
            return ticketblitz_lock.refusal('no_such_fence', moment);
        elsif _fence < h.fence then
            seen := h.fence;
        elsif now_in = 'lapsed' then
            select max(o.fence) into seen from ticketblitz_lock.seats s
                join ticketblitz_lock.holds o on o.event = s.event and o.id = s.hold
                where s.event = _event and s.seat = any (h.seats) and o.until > moment;
        elsif now_in = 'sold' and h.booking = _booking then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
        if seen > _fence then
            a := ticketblitz_lock.refusal('stale_fence', moment);
            a.fence := seen::text;
            return a;
        elsif now_in not in ('held', 'paying') then
            return ticketblitz_lock.refusal('not_held', moment);
        end if;
    end loop;
    update ticketblitz_lock.holds set phase = 'sold', until = 9223372036854775807, booking = _booking
        where event = _event and id = _hold;
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.reopen(_event uuid, _booking uuid, _now bigint)
returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    moment bigint := ticketblitz_lock.clock(_now);
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        if locked then
            perform pg_advisory_xact_lock_shared(ticketblitz_lock.key(_event));
        end if;
        perform from ticketblitz_lock.events where id = _event;
        if not found then
            return ticketblitz_lock.refusal('not_loaded', moment);
        end if;
        perform from ticketblitz_lock.holds where event = _event and booking = _booking and phase = 'sold';
        if not found then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
    end loop;
    moment := ticketblitz_lock.clock(_now);
    for h in select * from ticketblitz_lock.holds where event = _event and booking = _booking and phase = 'sold'
        order by section, id for update
    loop
        perform ticketblitz_lock.finish(h, 'ended', moment);
    end loop;
    return ticketblitz_lock.refusal('ok', moment);
end $$;

-- One row, or none if the event is not loaded. Stable: all of one moment. The version is made of the state and of what
-- never comes back: the last fence of each seat and area, each of whose holds only moves on, and the loads.
create or replace function ticketblitz_lock.status(
    _event uuid, _now bigint, out seats text[], out states text[], out sections text[], out capacities bigint[],
    out held bigint[], out paying bigint[], out sold bigint[], out channels text[], out reserved text[], out version bigint
) returns setof record language plpgsql stable as $$
declare
    moment bigint := ticketblitz_lock.clock(_now);
    seat_version bigint;
    area_version bigint;
begin
    select loaded into version from ticketblitz_lock.events where id = _event;
    if not found then
        return;
    end if;
    select array_agg(x.seat) filter (where x.state is not null), array_agg(x.state) filter (where x.state is not null),
           array_agg(x.channel order by x.channel) filter (where x.channel is not null),
           array_agg(x.seat order by x.channel) filter (where x.channel is not null),
           bit_xor(hashtextextended(concat_ws(' ', x.seat, x.fence, x.state), 0))
        into seats, states, channels, reserved, seat_version
        from (
            select s.seat, s.channel, s.fence, h.phase as state from ticketblitz_lock.seats s
            left join ticketblitz_lock.holds h on h.event = s.event and h.id = s.hold and h.until > moment
            where s.event = _event
        ) x;
    select array_agg(a.section order by a.section), array_agg(a.capacity order by a.section),
           array_agg(u.held order by a.section), array_agg(u.paying order by a.section),
           array_agg(u.sold order by a.section),
           bit_xor(hashtextextended(concat_ws(' ', a.section, a.capacity, u.held, u.paying, u.sold, a.fence), 1))
        into sections, capacities, held, paying, sold, area_version
        from ticketblitz_lock.areas a
        cross join lateral (
            select coalesce(sum(quantity) filter (where phase = 'held'), 0)::bigint as held,
                   coalesce(sum(quantity) filter (where phase = 'paying'), 0)::bigint as paying,
                   coalesce(sum(quantity) filter (where phase = 'sold'), 0)::bigint as sold
            from ticketblitz_lock.holds h
            where h.event = _event and h.section = a.section and h.phase in ('held', 'paying', 'sold') and h.until > moment
        ) u
        where a.event = _event;
    version := hashtextextended(concat_ws(' ', version, seat_version, area_version), 2) & 9223372036854775807;
    return next;
end $$;

create or replace function ticketblitz_lock.unload(_event uuid) returns ticketblitz_lock.answer
language plpgsql volatile as $$
begin
    perform from ticketblitz_lock.events where id = _event;
    if found then
        perform pg_advisory_xact_lock(ticketblitz_lock.key(_event));
        delete from ticketblitz_lock.holds where event = _event;
        delete from ticketblitz_lock.seats where event = _event;
        delete from ticketblitz_lock.areas where event = _event;
        delete from ticketblitz_lock.events where id = _event;
    end if;
    return ticketblitz_lock.refusal('ok', 0);
end $$;

-- The arrays are parallel: areas; reserved seats with their channels; entries; the seats of entries with the entry's
-- place. An entry has a section or seats, and no `until` if it is sold. `_ids` are for entries of no hold that is known.
create or replace function ticketblitz_lock.load(
    _event uuid, _floor numeric, _sections text[], _capacities bigint[], _reserved text[], _channels text[], _ids uuid[],
    _holds uuid[], _bookings uuid[], _owners text[], _in_sections text[], _quantities bigint[], _untils bigint[],
    _fences text[], _seats text[], _of int[], _now bigint
) returns ticketblitz_lock.answer language plpgsql volatile as $$
declare
    moment bigint;
    entry record;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the seat locks need the isolation level read committed';
    end if;
    perform pg_advisory_xact_lock(ticketblitz_lock.key(_event));
    moment := ticketblitz_lock.clock(_now);
    -- Only then is every seat that the store takes for taken really so.
    perform ticketblitz_lock.lapse(_event, array(select id from ticketblitz_lock.holds
        where event = _event and phase in ('held', 'paying') and until <= moment), moment);
    insert into ticketblitz_lock.events as e (id, fence_floor, loaded)
        values (_event, greatest(_floor, (select max(fence::numeric) from unnest(_fences) fence)), moment)
        on conflict (id) do update set fence_floor = greatest(e.fence_floor, excluded.fence_floor),
            loaded = greatest(e.loaded + 1, excluded.loaded);
    insert into ticketblitz_lock.areas (event, section, capacity, taken, fence)
        select _event, section, capacity, 0, 0 from unnest(_sections, _capacities) area (section, capacity)
        on conflict (event, section) do update set capacity = excluded.capacity;
    update ticketblitz_lock.seats set channel = null
        where event = _event and channel is not null and not seat = any (_reserved);
    insert into ticketblitz_lock.seats (event, seat, fence, channel)
        select _event, seat, 0, channel from unnest(_reserved, _channels) reserved (seat, channel)
        on conflict (event, seat) do update set channel = excluded.channel;
    for entry in
        select e.*, coalesce(s.seats, '{}') as seats
        from unnest(_ids, _holds, _bookings, _owners, _in_sections, _quantities, _untils, _fences) with ordinality
            e (id, hold, booking, owner, section, quantity, until, fence, place)
        left join (select place, array_agg(seat order by at) as seats
                   from unnest(_seats, _of) with ordinality w (seat, place, at) group by place) s on s.place = e.place
        order by e.place
    loop
        perform ticketblitz_lock.merge(_event, entry.id, entry.hold, entry.booking, entry.owner, entry.seats,
            entry.section, entry.quantity, entry.until, entry.fence::numeric, moment);
    end loop;
    return ticketblitz_lock.refusal('ok', moment);
end $$;

-- Merges one entry of a snapshot. The caller is alone, and has ended all that has lapsed.
create or replace function ticketblitz_lock.merge(
    _event uuid, _id uuid, _hold uuid, _booking uuid, _owner text, _seats text[], _section text, _quantity bigint,
    _until bigint, _fence numeric, _moment bigint
) returns void language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
    known text;
    target text := case when _until is null then 'sold' else 'paying' end;
    target_until bigint := coalesce(_until, 9223372036854775807);
begin
    if target_until <= _moment then
        return;
    end if;
    select * into h from ticketblitz_lock.holds where event = _event and id = coalesce(_hold, (
        select id from ticketblitz_lock.holds where event = _event and booking = _booking
            and ticketblitz_lock.phase_at(holds, _moment) <> 'gone'
        order by phase in ('held', 'paying', 'sold') desc, fence desc limit 1));
    known := ticketblitz_lock.phase_at(h, _moment);
    if known = 'gone' or known = 'lapsed' and target = 'sold' then
        insert into ticketblitz_lock.holds as o
            (event, id, owner, seats, section, quantity, fence, phase, until, ceiling, booking)
            values (_event, coalesce(h.id, _hold, _id), _owner, _seats, _section, _quantity, _fence, target, target_until,
                coalesce(_until, 0), _booking)
            on conflict (event, id) do update set owner = excluded.owner, seats = excluded.seats,
                section = excluded.section, quantity = excluded.quantity, fence = excluded.fence, phase = excluded.phase,
                until = excluded.until, ceiling = excluded.ceiling, booking = excluded.booking, candidates = null,
                remember_until = null, forget_at = null
            returning * into h;
        update ticketblitz_lock.areas set taken = taken + _quantity where event = _event and section = _section;
    elsif known in ('lapsed', 'ended') then
        return;
    else
        if known = 'held' or known = 'paying' and target_until > h.until then
            h.phase := target;
            h.until := target_until;
        end if;
        update ticketblitz_lock.holds o
            set phase = h.phase, until = h.until, booking = coalesce(_booking, o.booking)
            where event = _event and id = h.id;
    end if;
    insert into ticketblitz_lock.seats as s (event, seat, hold, fence)
        select _event, seat, h.id, h.fence from unnest(h.seats) seat
        on conflict (event, seat) do update set hold = excluded.hold, fence = greatest(s.fence, excluded.fence)
            where s.hold is null;
end $$;

-- What lapsed after the number `_after` (or from the beginning), at most `_most`; at least one row, with nothing but
-- where the answer starts and whether something was missed if there is nothing. Events are looked at in the order of
-- their ids, and only those that nobody is alone with.
create or replace function ticketblitz_lock.expired(
    _after bigint, _most bigint, _now bigint, out start bigint, out missed boolean, out n bigint, out event uuid,
    out hold uuid, out owner text, out seats text[], out section text, out quantity bigint, out fence text,
    out paying boolean, out until bigint, out ceiling bigint
) returns setof record language plpgsql volatile as $$
declare
    moment bigint := ticketblitz_lock.clock(_now);
    s ticketblitz_lock.stream;
    lapsed record;
begin
    for lapsed in
        select e.id from ticketblitz_lock.events e where exists (
            select from ticketblitz_lock.holds h where h.event = e.id and h.phase in ('held', 'paying') and h.until <= moment)
        order by e.id limit 64
    loop
        if pg_try_advisory_xact_lock_shared(ticketblitz_lock.key(lapsed.id)) then
            perform ticketblitz_lock.lapse(lapsed.id, array(
                select h.id from ticketblitz_lock.holds h
                where h.event = lapsed.id and h.phase in ('held', 'paying') and h.until <= moment
                order by h.until, h.id limit 256 for update skip locked), moment);
        end if;
    end loop;
    perform from ticketblitz_lock.expiries e where e.n is null;
    if found then
        perform ticketblitz_lock.tell();
    end if;
    select * into s from ticketblitz_lock.stream;
    missed := not coalesce(_after + 1 between s.first and s.next, true);
    start := case when _after is null or missed then s.first else _after + 1 end;
    return query select start, missed, e.n, e.event, e.hold, e.owner, e.seats, e.section, e.quantity, e.fence::text,
            e.paying, e.until, e.ceiling
        from ticketblitz_lock.expiries e where e.n >= start order by e.n limit _most;
    if not found then
        return next;
    end if;
end $$;

comment on schema ticketblitz_lock is 'ticketblitz-lock 1';
