Story: Of two roles that nobody may hold together the first of the list stays
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
Then
  alice holds employee, pays
On 2027-03-02 08:00
  hr changes alice: title Approver
Then
  alice holds employee, pays
  alice has the finding approves-payments
On 2027-03-03 08:00
  hr changes alice: department Controlling
Then
  alice holds approves-payments, employee

Story: A conflict is refused when the role is asked for
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
  alice asks for signs
  it is refused: pays
Then
  alice holds employee, pays

Story: Grants that do not overlap in time do not conflict
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
  alice asks for early until 2027-04-01
  alice asks for late until 2027-05-01
  it is refused: early
  alice asks for late from 2027-04-01 until 2027-05-01
Then
  alice holds early, employee, pays
On 2027-04-01 00:00
Then
  alice holds employee, late, pays

Story: An exception with an owner and an end
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
On 2027-03-02 08:00
  hr changes alice: title Approver
Then
  alice holds employee, pays
  the operator exempts alice from pays and approves-payments, owner bob, until 2027-04-01
Then
  alice holds approves-payments, employee, pays
On 2027-04-01 00:00
Then
  alice holds employee, pays

Story: A conflict that is reported takes nothing
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
  alice asks for reads
  alice asks for writes
Then
  alice holds employee, pays, reads, writes
  alice has the finding reads

Story: A conflict that somebody may approve
Configuration: conflicts

On 2027-03-01 08:00
  hr pushes bob: department Management
  hr pushes alice: department Payables, manager bob
  alice asks for builds
  alice asks for deploys
  it is refused: until
  alice asks for deploys until 2027-04-01
Then
  alice's request for deploys is pending
  alice holds builds, employee, pays
  bob approves deploys for alice
Then
  alice holds builds, deploys, employee, pays
