-- Versions of the configuration: roll-back, sweeps over everybody.
SELECT 1;
