# plot a log file line by line, as the sensor would deliver it
import matplotlib.pyplot as plt
import matplotlib.animation as animation

log = open('temperatures.txt')
print('reading:', log.readline().strip())

fig, ax = plt.subplots(figsize=(2.5, 2), dpi=60)
temps = []


def update(i):
    line = log.readline()
    if line:
        temps.append(float(line))
    ax.clear()
    ax.plot(temps, 'r.-')
    ax.set_ylabel('deg C', fontsize=7)


ani = animation.FuncAnimation(fig, update, frames=14, interval=500)
plt.show()
