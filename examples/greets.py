# A file that imports a package which only this side has: run it with --provide.
import greetings

channel.send(greetings.greet('world'))
