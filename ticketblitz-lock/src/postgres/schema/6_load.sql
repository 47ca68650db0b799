-- Events come and go.

-- The arrays are parallel: areas; reserved seats with their channels; entries; the seats of entries with the entry's
-- place. An entry has a section or seats, and no `until` if it is sold. `_ids` are for entries of no hold that is known.
create or replace function ticketblitz_lock.load(
    _event uuid, _floor numeric, _sections text[], _capacities bigint[], _reserved text[], _channels text[], _ids uuid[],
    _holds uuid[], _bookings uuid[], _owners text[], _in_sections text[], _quantities bigint[], _untils bigint[],
    _fences text[], _seats text[], _of int[], _now bigint
) returns record language plpgsql volatile
set enable_seqscan = off set plan_cache_mode = force_custom_plan as $$
declare
    moment bigint;
    left_fence numeric(20);
    left_loaded bigint;
    kinds int[];
    entry record;
begin
    perform ticketblitz_lock.lock_event(_event, true);
    moment := ticketblitz_lock.clock(_now);
    -- Only then is every seat that the store takes for taken really so.
    perform ticketblitz_lock.lapse(_event, array(select id from ticketblitz_lock.holds
        where event = _event and phase in ('held', 'paying') and until <= moment), moment);
    -- Fences and versions go on from where unloading left them.
    delete from ticketblitz_lock.unloaded where id = _event returning fence, loaded + 1 into left_fence, left_loaded;
    insert into ticketblitz_lock.events as e (id, fence_floor, loaded)
        values (_event, greatest(_floor, left_fence, (select max(fence::numeric) from unnest(_fences) fence),
                -- A hold that is known may get a lower fence from the snapshot.
                (select fence from ticketblitz_lock.holds where event = _event and fence >= 0 order by fence desc limit 1)),
            greatest(moment, left_loaded))
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
    -- A house that is sold out is a hundred thousand entries: those that are new here are taken all at once, those that say
    -- nothing new not at all, and what is left one after the other. 0 for nothing new, 1 for new, 2 for the rest.
    select array_agg(case
            when coalesce(e.until, 9223372036854775807) <= moment then 0
            when h.known = 0 then 1
            when h.known > 1 or not h.sold or e.booking is distinct from coalesce(h.booking, e.booking) then 2
            when exists (
                select from unnest(h.seats) w (seat) left join lateral (select hold from ticketblitz_lock.seats
                    where event = _event and seat = w.seat offset 0) s on true
                where s.hold is null) then 2
            else 0 end order by e.place)
        into kinds
        from unnest(_holds, _bookings, _untils) with ordinality e (hold, booking, until, place)
        cross join lateral (
            select count(*) as known, bool_and(o.phase = 'sold') as sold, (array_agg(o.booking))[1] as booking,
                   string_to_array(min(array_to_string(o.seats, ' ')), ' ') as seats
            from (select * from ticketblitz_lock.holds where event = _event and id = e.hold
                  union all
                  (select * from ticketblitz_lock.holds
                   where e.hold is null and booking = e.booking and event is not distinct from _event limit 2)) o) h;
    perform ticketblitz_lock.take_new(_event, kinds, _ids, _holds, _bookings, _owners, _in_sections, _quantities, _untils,
        _fences, _seats, _of);
    for entry in
        select e.*, coalesce(s.seats, '{}') as seats
        from unnest(kinds, _ids, _holds, _bookings, _owners, _in_sections, _quantities, _untils, _fences) with ordinality
            e (kind, id, hold, booking, owner, section, quantity, until, fence, place)
        left join (select place, array_agg(seat order by at) as seats
                   from unnest(_seats, _of) with ordinality w (seat, place, at) group by place) s on s.place = e.place
        where e.kind = 2
        order by e.place
    loop
        perform ticketblitz_lock.merge(_event, entry.id, entry.hold, entry.booking, entry.owner, entry.seats,
            entry.section, entry.quantity, entry.until, entry.fence::numeric, moment);
    end loop;
    return ticketblitz_lock.refusal('ok', moment);
end $$;

-- Takes the entries of kind 1: of holds and bookings that nothing is known of. Of two that have one seat the first gets it.
-- The arrays are those of a load, which is alone.
create or replace function ticketblitz_lock.take_new(
    _event uuid, _kinds int[], _ids uuid[], _holds uuid[], _bookings uuid[], _owners text[], _in_sections text[],
    _quantities bigint[], _untils bigint[], _fences text[], _seats text[], _of int[]
) returns void language plpgsql volatile set plan_cache_mode = force_custom_plan as $$
begin
    if coalesce(not 1 = any (_kinds), true) then
        return;
    end if;
    insert into ticketblitz_lock.holds
        (event, id, owner, seats, section, quantity, fence, phase, until, ceiling, booking)
        select _event, coalesce(e.hold, e.id), e.owner, coalesce(s.seats, '{}'), e.section, e.quantity, e.fence::numeric,
               case when e.until is null then 'sold' else 'paying' end, coalesce(e.until, 9223372036854775807),
               coalesce(e.until, 0), e.booking
        from unnest(_kinds, _ids, _holds, _bookings, _owners, _in_sections, _quantities, _untils, _fences) with ordinality
            e (kind, id, hold, booking, owner, section, quantity, until, fence, place)
        left join (select place, array_agg(seat order by at) as seats
                   from unnest(_seats, _of) with ordinality w (seat, place, at) group by place) s on s.place = e.place
        where e.kind = 1;
    update ticketblitz_lock.areas a set taken = a.taken + e.units
        from (select section, sum(quantity)::bigint as units
              from unnest(_kinds, _in_sections, _quantities) e (kind, section, quantity)
              where kind = 1 and section is not null group by section) e
        where a.event = _event and a.section = e.section;
    insert into ticketblitz_lock.seats as s (event, seat, hold, fence)
        select distinct on (w.seat collate "C") _event, w.seat, coalesce(e.hold, e.id), e.fence::numeric
        from unnest(_seats, _of) w (seat, place)
        join unnest(_kinds, _ids, _holds, _fences) with ordinality e (kind, id, hold, fence, place) on e.place = w.place
        where e.kind = 1
        order by w.seat collate "C", w.place
        on conflict (event, seat) do update set hold = excluded.hold, fence = greatest(s.fence, excluded.fence)
            where s.hold is null;
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
        select id from ticketblitz_lock.holds where booking = _booking and event is not distinct from _event
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

create or replace function ticketblitz_lock.unload(_event uuid) returns record
language plpgsql volatile set enable_seqscan = off as $$
begin
    perform ticketblitz_lock.check_isolation();
    perform from ticketblitz_lock.events where id = _event;
    if found then
        perform ticketblitz_lock.lock_event(_event, true);
        insert into ticketblitz_lock.unloaded (id, fence, loaded)
            select id, greatest(fence_floor, (select max(fence) from ticketblitz_lock.seats where event = _event),
                (select max(fence) from ticketblitz_lock.areas where event = _event)), loaded
            from ticketblitz_lock.events where id = _event
            on conflict (id) do update set fence = excluded.fence, loaded = excluded.loaded;
        delete from ticketblitz_lock.holds where event = _event and fence >= 0;
        delete from ticketblitz_lock.seats where event = _event;
        delete from ticketblitz_lock.areas where event = _event;
        delete from ticketblitz_lock.events where id = _event;
    end if;
    return ticketblitz_lock.refusal('ok', 0);
end $$;
