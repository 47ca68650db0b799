-- What the operations have in common.

-- What all operations answer but those that read everything. They are declared to return a record, whose fields a client
-- reads without asking for the type.
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

-- The advisory lock of an event: the name of the schema is in it, so that neither what an application locks by its ids nor
-- another schema is in the way. Advisory locks are a database's, not a schema's.
create or replace function ticketblitz_lock.key(_event uuid) returns bigint language sql immutable as $$
    select hashtextextended('ticketblitz_lock ' || _event::text, 0)
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

-- Who waited for a lock has to see what was written meanwhile.
create or replace function ticketblitz_lock.check_isolation() returns void language plpgsql stable as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the seat locks need the isolation level read committed';
    end if;
end $$;

create or replace function ticketblitz_lock.lock_event(_event uuid, _alone boolean) returns void
language plpgsql volatile as $$
begin
    perform ticketblitz_lock.check_isolation();
    if _alone then
        perform pg_advisory_xact_lock(ticketblitz_lock.key(_event));
    else
        perform pg_advisory_xact_lock_shared(ticketblitz_lock.key(_event));
    end if;
end $$;

-- A hold for an operation on it. Without an event if that is not loaded, without an id if there is no such hold. Without a
-- lock it is read with its event, at one moment: a hold that went with its event is not looked for in vain.
create or replace function ticketblitz_lock.find(_event uuid, _hold uuid, _locked boolean)
returns ticketblitz_lock.holds language plpgsql volatile as $$
declare
    h ticketblitz_lock.holds;
begin
    if _locked then
        perform ticketblitz_lock.lock_event(_event, false);
        perform from ticketblitz_lock.events where id = _event;
        if not found then
            return h;
        end if;
        select * into h from ticketblitz_lock.holds where event = _event and id = _hold for update;
    else
        perform ticketblitz_lock.check_isolation();
        select o.* into h from ticketblitz_lock.events e
            left join lateral (select * from ticketblitz_lock.holds where event = _event and id = _hold offset 0) o on true
            where e.id = _event;
        if not found then
            return h;
        end if;
    end if;
    h.event := _event;
    return h;
end $$;
