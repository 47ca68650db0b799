-- For whoever forgets what is old.
CREATE INDEX voided_bookings_by_age ON voided_bookings (voided_at);
