Story: A mover keeps the old access for the hand-over, then loses it by itself
Configuration: handover

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
Then
  alice holds employee, engineer, sales
  alice holds sales until 2027-04-15 09:00
  at crm alice has an account in sellers
  at git alice has an account
On 2027-04-15 08:59
Then
  at crm alice has an account in sellers
On 2027-04-15 09:00
Then
  alice holds employee, engineer
  at crm alice has no account
  alice's timeline says joiner, mover, mover

Story: Back in the old department before the hand-over ends
Configuration: handover

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
On 2027-04-05 09:00
  hr changes alice: department Sales
On 2027-04-20 09:00
Then
  alice holds employee, sales
  at crm alice has the account of before in sellers

Story: A second move does not prolong the hand-over
Configuration: handover

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
On 2027-04-10 09:00
  hr changes alice: department Support
On 2027-04-15 09:00
Then
  alice holds employee
  at crm alice has no account

Story: A leaver hands nothing over
Configuration: handover

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
On 2027-04-02 09:00
  hr changes alice: active false
Then
  alice holds nothing
  at crm alice has no account
  at git alice has no account
